using System.Text;

namespace Lavt.Nn.Weights;

/// <summary>
/// The stack machine that a pickle is a program for. One loop, no recursion; every pop, memo number and length is checked.
/// What the opcodes build is in the other half of this type.
/// </summary>
internal ref partial struct PickleMachine
{
    private readonly PickleOptions _options;
    private readonly List<object?> _stack = [];
    private readonly List<int> _marks = [];
    private readonly List<object?> _memo = [];
    private PickleReader _reader;

    public PickleMachine(ReadOnlySpan<byte> data, PickleOptions options)
    {
        _reader = new PickleReader(data, options.Name);
        _options = options;
    }

    /// <summary>The number of bytes read.</summary>
    public readonly int Position => _reader.Position;

    /// <summary>The lowest stack position that an opcode may pop: what lies below the last mark is out of reach.</summary>
    private readonly int Floor => _marks.Count == 0 ? 0 : _marks[^1];

    /// <summary>Runs the program to its STOP.</summary>
    public object? Run()
    {
        for (long operations = 0; ; operations++)
        {
            if (operations >= _options.MaxOperations)
                throw _reader.Error($"more than {_options.MaxOperations} operations (PickleOptions.MaxOperations); no file of this kind is so large");
            PickleOpcode opcode = (PickleOpcode)_reader.Byte();
            if (opcode == PickleOpcode.Stop) return Pop();
            if (!Literal(opcode) && !Arrange(opcode) && !Compose(opcode))
                throw _reader.Error($"opcode 0x{(byte)opcode:x2} is not one of a pickle of protocols 0 to 5 without extensions and outside buffers; the file is damaged or something else");
        }
    }

    /// <summary>Opcodes that push one value.</summary>
    private bool Literal(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.None: Push(null); return true;
            case PickleOpcode.NewTrue: Push(Boxed.True); return true;
            case PickleOpcode.NewFalse: Push(Boxed.False); return true;
            case PickleOpcode.BinInt: Push(Boxed.Of(_reader.Int32())); return true;
            case PickleOpcode.BinInt1: Push(Boxed.Of(_reader.Byte())); return true;
            case PickleOpcode.BinInt2: Push(Boxed.Of(_reader.UInt16())); return true;
            case PickleOpcode.Int: Push(_reader.IntLine()); return true;
            case PickleOpcode.Long: Push(_reader.LongLine()); return true;
            case PickleOpcode.Long1: Push(PickleReader.Integer(_reader.Counted(1))); return true;
            case PickleOpcode.Long4: Push(PickleReader.Integer(_reader.Counted(4))); return true;
            case PickleOpcode.Float: Push(_reader.FloatLine()); return true;
            case PickleOpcode.BinFloat: Push(_reader.BigEndianDouble()); return true;
            case PickleOpcode.BinUnicode: Push(_reader.Utf8(_reader.Counted(4))); return true;
            case PickleOpcode.ShortBinUnicode: Push(_reader.Utf8(_reader.Counted(1))); return true;
            case PickleOpcode.BinUnicode8: Push(_reader.Utf8(_reader.Counted(8))); return true;
            case PickleOpcode.ShortBinString: Push(PickleReader.OldString(_reader.Counted(1))); return true;
            case PickleOpcode.BinString: Push(PickleReader.OldString(_reader.Counted(4))); return true;
            case PickleOpcode.String:
                Push(PickleReader.OldString(PickleText.Unquote(_reader.Line()) ?? throw _reader.Error("a quoted string is malformed; the file is damaged")));
                return true;
            case PickleOpcode.Unicode:
                Push(PickleText.RawUnicodeEscape(_reader.Line()) ?? throw _reader.Error("an escape in a text is malformed; the file is damaged"));
                return true;
            case PickleOpcode.ShortBinBytes: Push(_reader.Counted(1).ToArray()); return true;
            case PickleOpcode.BinBytes: Push(_reader.Counted(4).ToArray()); return true;
            case PickleOpcode.BinBytes8 or PickleOpcode.ByteArray8: Push(_reader.Counted(8).ToArray()); return true;
            case PickleOpcode.EmptyList: Push(new List<object?>()); return true;
            case PickleOpcode.EmptyTuple: Push(Array.Empty<object?>()); return true;
            case PickleOpcode.EmptyDict: Push(new PickleDict()); return true;
            case PickleOpcode.EmptySet: Push(new PickleSet()); return true;
            default: return false;
        }
    }

    /// <summary>Opcodes that move values between stack and memo.</summary>
    private bool Arrange(PickleOpcode opcode)
    {
        switch (opcode)
        {
            case PickleOpcode.Proto: CheckProtocol(); return true;
            case PickleOpcode.Frame: _reader.Frame(); return true;
            case PickleOpcode.Mark: _marks.Add(_stack.Count); return true;
            case PickleOpcode.PopMark: PopToMark(); return true;
            case PickleOpcode.Dup: Push(Peek()); return true;
            case PickleOpcode.Pop:
                if (_stack.Count > Floor) Pop();
                else PopToMark();
                return true;
            case PickleOpcode.BinPut: Remember(_reader.Byte()); return true;
            case PickleOpcode.LongBinPut: Remember(_reader.UInt32()); return true;
            case PickleOpcode.Put: Remember(_reader.IndexLine()); return true;
            case PickleOpcode.Memoize: Remember(_memo.Count); return true;
            case PickleOpcode.BinGet: Recall(_reader.Byte()); return true;
            case PickleOpcode.LongBinGet: Recall(_reader.UInt32()); return true;
            case PickleOpcode.Get: Recall(_reader.IndexLine()); return true;
            default: return false;
        }
    }

    private void CheckProtocol()
    {
        int protocol = _reader.Byte();
        if (protocol > 5) throw _reader.Error($"pickle protocol {protocol}; protocols 0 to 5 can be read, save the file again with one of them");
    }

    private readonly void Push(object? value) => _stack.Add(value);

    private object? Pop()
    {
        object? top = Peek();
        _stack.RemoveAt(_stack.Count - 1);
        return top;
    }

    private object? Peek() => _stack.Count > Floor ? _stack[^1] : throw _reader.Error("an operation finds nothing on the stack; the file is damaged");

    /// <summary>Takes the values above the last mark, and the mark.</summary>
    private object?[] PopToMark()
    {
        if (_marks.Count == 0) throw _reader.Error("an operation finds no mark on the stack; the file is damaged");
        int mark = Floor;
        _marks.RemoveAt(_marks.Count - 1);
        object?[] taken = _stack.Count > mark ? new object?[_stack.Count - mark] : [];
        _stack.CopyTo(mark, taken, 0, taken.Length);
        _stack.RemoveRange(mark, taken.Length);
        return taken;
    }

    private void Remember(long index)
    {
        // Every pickler numbers its memo without large gaps, so a number beyond the bytes read is a forgery that would cost memory.
        if (index > _reader.Position) throw _reader.Error($"memo number {index} is beyond the number of values so far; the file is damaged");
        object? value = Peek();
        while (_memo.Count <= index) _memo.Add(Boxed.Unset);
        _memo[(int)index] = value;
    }

    private void Recall(long index)
    {
        if (index >= _memo.Count || ReferenceEquals(_memo[(int)index], Boxed.Unset))
            throw _reader.Error($"memo number {index} was never set; the file is damaged");
        Push(_memo[(int)index]);
    }

    private PickleGlobal Global(string module, string name)
    {
        PickleGlobal global = new(module, name);
        if (PickleBuiltins.Knows(global.FullName) || _options.AllowedGlobals.Contains(global.FullName)) return global;
        StringBuilder allowed = new();
        foreach (string known in _options.AllowedGlobals.Order(StringComparer.Ordinal)) allowed.Append(allowed.Length == 0 ? "" : ", ").Append(known);
        string shown = global.FullName.Length <= 200 ? global.FullName : global.FullName[..200] + "…";
        throw _reader.Error($"the file names '{shown}', which is not allowed and was not run; it may be hostile. Allowed are Python's containers"
            + (allowed.Length == 0 ? "" : " and " + allowed));
    }
}
