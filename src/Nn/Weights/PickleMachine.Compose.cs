namespace Lavt.Nn.Weights;

/// <summary>The opcodes that build containers and records from values on the stack.</summary>
internal ref partial struct PickleMachine
{
    private bool Compose(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Tuple: Push(PopToMark()); return true;
            case PickleOpcode.Tuple1: PushTuple(1); return true;
            case PickleOpcode.Tuple2: PushTuple(2); return true;
            case PickleOpcode.Tuple3: PushTuple(3); return true;
            case PickleOpcode.List: Push(new List<object?>(PopToMark())); return true;
            case PickleOpcode.Dict: Push(MakeDict(PopToMark())); return true;
            case PickleOpcode.FrozenSet: Push(MakeSet(PopToMark())); return true;
            case PickleOpcode.Append: Append(Pop()); return true;
            case PickleOpcode.Appends: Appends(PopToMark()); return true;
            case PickleOpcode.AddItems: AddToSet(PopToMark()); return true;
            case PickleOpcode.SetItem: SetItem(); return true;
            case PickleOpcode.SetItems: SetItems(PopToMark()); return true;
            default: return Name(opcode);
        }
    }

    /// <summary>Opcodes that name classes and functions, or record their use.</summary>
    private bool Name(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Global: Push(GlobalFromLines()); return true;
            case PickleOpcode.StackGlobal: Push(GlobalFromStack()); return true;
            case PickleOpcode.Reduce or PickleOpcode.NewObj: PushInstance(PopTuple("arguments")); return true;
            case PickleOpcode.NewObjEx: NewObjectWithKeywords(); return true;
            case PickleOpcode.Inst: OldInstance(GlobalFromLines(), PopToMark()); return true;
            case PickleOpcode.Obj:
                object?[] parts = PopToMark();
                OldInstance(parts.Length > 0 ? parts[0] as PickleGlobal : null, parts.AsSpan(Math.Min(1, parts.Length)).ToArray());
                return true;
            case PickleOpcode.Build: Build(); return true;
            case PickleOpcode.PersId: Persistent(_reader.Utf8(_reader.Line())); return true;
            case PickleOpcode.BinPersId: Persistent(Pop()); return true;
            default: return false;
        }
    }

    private void PushTuple(int length)
    {
        object?[] tuple = new object?[length];
        for (int i = length - 1; i >= 0; i--) tuple[i] = Pop();
        Push(tuple);
    }

    private readonly PickleDict MakeDict(object?[] items)
    {
        PickleDict dict = new();
        SetAll(dict, items);
        return dict;
    }

    private readonly PickleSet MakeSet(object?[] members)
    {
        PickleSet set = new();
        foreach (object? member in members) AddMember(set, member);
        return set;
    }

    private void Append(object? element) => ListOnTop().Add(element);

    private void Appends(object?[] elements) => ListOnTop().AddRange(elements);

    private List<object?> ListOnTop() => Peek() switch
    {
        List<object?> plain => plain,
        PickleObject instance => instance.ElementList ??= [],
        _ => throw _reader.Error("elements are appended to something that is no list; the file is damaged"),
    };

    private void AddToSet(object?[] members)
    {
        if (Peek() is not PickleSet set) throw _reader.Error("members are added to something that is no set; the file is damaged");
        foreach (object? member in members) AddMember(set, member);
    }

    private void SetItem()
    {
        object? value = Pop();
        object? key = Pop();
        Set(DictOnTop(), key, value);
    }

    private void SetItems(object?[] items) => SetAll(DictOnTop(), items);

    private PickleDict DictOnTop() => Peek() switch
    {
        PickleDict plain => plain,
        PickleObject instance => instance.Items ??= new PickleDict(),
        _ => throw _reader.Error("items are set on something that is no dict; the file is damaged"),
    };

    private readonly void SetAll(PickleDict dict, object?[] items)
    {
        if (items.Length % 2 != 0) throw _reader.Error("a dict has a key without a value; the file is damaged");
        for (int i = 0; i < items.Length; i += 2) Set(dict, items[i], items[i + 1]);
    }

    private readonly void Set(PickleDict dict, object? key, object? value)
    {
        try
        {
            dict.Set(key, value);
        }
        catch (ArgumentException wrongKey)
        {
            throw _reader.Error(wrongKey.Message);
        }
    }

    private readonly void AddMember(PickleSet set, object? member)
    {
        try
        {
            set.Add(member);
        }
        catch (ArgumentException wrongKey)
        {
            throw _reader.Error(wrongKey.Message);
        }
    }

    private PickleGlobal GlobalFromLines()
    {
        string module = _reader.Utf8(_reader.Line());
        return Global(module, _reader.Utf8(_reader.Line()));
    }

    private PickleGlobal GlobalFromStack()
    {
        object? name = Pop();
        return Pop() is string module && name is string text
            ? Global(module, text)
            : throw _reader.Error("a class is named by something that is no text; the file is damaged");
    }

    private object?[] PopTuple(string role) =>
        Pop() as object?[] ?? throw _reader.Error($"the {role} of an instance are no tuple; the file is damaged");

    private void PushInstance(object?[] arguments)
    {
        if (Pop() is not PickleGlobal global) throw _reader.Error("something that is no class or function is applied; the file is damaged or hostile");
        Push(Construct(global, arguments));
    }

    private void NewObjectWithKeywords()
    {
        if (Pop() is not PickleDict keywords) throw _reader.Error("the keywords of an instance are no dict; the file is damaged");
        object?[] arguments = PopTuple("arguments");
        PushInstance(keywords.Count == 0 ? arguments : [.. arguments, keywords]);
    }

    private void OldInstance(PickleGlobal? global, object?[] arguments)
    {
        if (global is null) throw _reader.Error("an instance has no class; the file is damaged");
        Push(Construct(global, arguments));
    }

    private readonly object Construct(PickleGlobal global, object?[] arguments)
    {
        try
        {
            return _options.Construct?.Invoke(global, arguments)
                ?? PickleBuiltins.Construct(global, arguments)
                ?? new PickleObject(global, arguments);
        }
        catch (ArgumentException wrong)
        {
            throw _reader.Error($"{global} cannot be made from what the file gives: {wrong.Message}");
        }
    }

    private void Build()
    {
        object? state = Pop();
        switch (Peek())
        {
            case PickleObject instance: instance.State = state; break;
            case PickleDict dict: dict.Attributes = state; break;
            default: throw _reader.Error("a state is set on something that has none; the file is damaged");
        }
    }

    private readonly void Persistent(object? id)
    {
        if (_options.PersistentLoad is null)
            throw _reader.Error("the pickle refers to data outside of itself, which a file of this kind does not have");
        Push(_options.PersistentLoad(id));
    }
}
