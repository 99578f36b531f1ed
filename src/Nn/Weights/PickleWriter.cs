using System.Buffers.Binary;
using System.Collections;
using System.Numerics;
using System.Text;
using Lavt.Tensors;

namespace Lavt.Nn.Weights;

/// <summary>
/// Writes a tree as a pickle of protocol 2, with nothing in it but what <c>torch.load(weights_only=True)</c> accepts: tensors
/// as calls of <c>_rebuild_tensor_v2</c> on numbered storages, and plain data.
/// </summary>
internal sealed class PickleWriter
{
    private const int MaxDepth = 200;

    private readonly MemoryStream _bytes = new();
    private readonly bool _keepNamespace;
    private readonly Dictionary<string, int> _memo = new(StringComparer.Ordinal);
    private readonly Dictionary<(Storage Memory, long Offset, long Count, DType Type), int> _keys = [];
    private readonly List<Tensor> _storages = [];

    private PickleWriter(bool keepNamespace) => _keepNamespace = keepNamespace;

    /// <summary>The pickle of <paramref name="root"/> and the tensors whose numbers are storage 0, 1, …</summary>
    /// <exception cref="ArgumentException">Something in the tree cannot be written.</exception>
    public static (byte[] Pickle, IReadOnlyList<Tensor> Storages) Write(object? root, bool keepNamespace)
    {
        PickleWriter writer = new(keepNamespace);
        writer.Op(PickleOpcode.Proto);
        writer._bytes.WriteByte(2);
        writer.Value(root, "", 0);
        writer.Op(PickleOpcode.Stop);
        return (writer._bytes.ToArray(), writer._storages);
    }

    private void Value(object? value, string path, int depth)
    {
        if (depth > MaxDepth) throw new ArgumentException($"'{path}' is deeper than {MaxDepth} levels, or holds itself; it cannot be written");
        switch (value)
        {
            case null: Op(PickleOpcode.None); break;
            case bool flag: Op(flag ? PickleOpcode.NewTrue : PickleOpcode.NewFalse); break;
            case int or long or short or byte: Integer(Convert.ToInt64(value, null)); break;
            case float or double: Float(Convert.ToDouble(value, null)); break;
            case string text: Text(text); break;
            case Tensor tensor: TensorCall(tensor); break;
            case PickleDict dict: Dict(dict, path, depth); break;
            case PickleObject { Global.FullName: "argparse.Namespace" } space: Namespace(space, path, depth); break;
            case IEnumerable<KeyValuePair<string, Tensor>> tensors: StateDict(tensors, path); break;
            case IEnumerable<KeyValuePair<string, object?>> entries: Op(PickleOpcode.EmptyDict); Entries(entries.Select(e => ((object?)e.Key, e.Value)), path, depth); break;
            case object?[] tuple: Elements(tuple, PickleOpcode.Tuple, path, depth); break;
            case IList list and not byte[]: List(list, path, depth); break;
            default:
                throw new ArgumentException($"'{path}' is a {value.GetType().Name}, which cannot be written; use dictionaries, lists, tuples (object?[]), strings, numbers, booleans, null and tensors");
        }
    }

    private void Dict(PickleDict dict, string path, int depth)
    {
        if (dict.IsOrderedDict) OrderedDict();
        else Op(PickleOpcode.EmptyDict);
        Entries(dict.Select(entry => (entry.Key, entry.Value)), path, depth);
        if (!dict.IsOrderedDict || dict.Attributes is null) return;
        Value(dict.Attributes, path + ".__dict__", depth + 1);
        Op(PickleOpcode.Build);
    }

    private void StateDict(IEnumerable<KeyValuePair<string, Tensor>> tensors, string path)
    {
        OrderedDict();
        Entries(tensors.Select(entry => ((object?)entry.Key, (object?)entry.Value)), path, 0);
    }

    private void Namespace(PickleObject space, string path, int depth)
    {
        PickleDict attributes = PthFile.AsNamespace(space)!;
        if (!_keepNamespace)
        {
            Dict(attributes, path, depth);
            return;
        }
        Global("argparse", "Namespace");
        Op(PickleOpcode.EmptyTuple);
        Op(PickleOpcode.NewObj);
        Dict(attributes, path, depth);
        Op(PickleOpcode.Build);
    }

    private void Entries(IEnumerable<(object? Key, object? Value)> entries, string path, int depth)
    {
        Op(PickleOpcode.Mark);
        foreach ((object? key, object? value) in entries)
        {
            string name = path.Length == 0 ? $"{key}" : $"{path}.{key}";
            if (key is not (string or long or int)) throw new ArgumentException($"the key '{name}' is neither a string nor a whole number; it cannot be written");
            Value(key, name, depth);
            Value(value, name, depth + 1);
        }
        Op(PickleOpcode.SetItems);
    }

    private void List(IList list, string path, int depth)
    {
        Op(PickleOpcode.EmptyList);
        Elements(list, PickleOpcode.Appends, path, depth);
    }

    private void Elements(IList elements, PickleOpcode close, string path, int depth)
    {
        Op(PickleOpcode.Mark);
        for (int i = 0; i < elements.Count; i++) Value(elements[i], $"{path}[{i}]", depth + 1);
        Op(close);
    }

    private void OrderedDict()
    {
        Global("collections", "OrderedDict");
        Op(PickleOpcode.EmptyTuple);
        Op(PickleOpcode.Reduce);
    }

    /// <summary><c>_rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict())</c>; numbers are written in row-major order, and as those of the CPU wherever they are.</summary>
    private void TensorCall(Tensor tensor)
    {
        Global("torch._utils", "_rebuild_tensor_v2");
        Op(PickleOpcode.Mark);
        StorageId(tensor);
        Integer(0);
        Op(PickleOpcode.Mark);
        foreach (int extent in tensor.Shape) Integer(extent);
        Op(PickleOpcode.Tuple);
        Op(PickleOpcode.Mark);
        Strides strides = Strides.Contiguous(tensor.Shape);
        for (int i = 0; i < tensor.Rank; i++) Integer(strides[i]);
        Op(PickleOpcode.Tuple);
        Op(PickleOpcode.NewFalse);
        OrderedDict();
        Op(PickleOpcode.Tuple);
        Op(PickleOpcode.Reduce);
    }

    private void StorageId(Tensor tensor)
    {
        Op(PickleOpcode.Mark);
        Text("storage");
        Global("torch", PthTypes.StorageName(tensor.DType));
        Text(StorageKey(tensor).ToString(System.Globalization.CultureInfo.InvariantCulture));
        Text("cpu");
        Integer(tensor.Count);
        Op(PickleOpcode.Tuple);
        Op(PickleOpcode.BinPersId);
    }

    /// <summary>The number of the storage: tensors over the same numbers in the same order share one.</summary>
    private int StorageKey(Tensor tensor)
    {
        var region = (tensor.Storage, tensor.Offset, tensor.Count, tensor.DType);
        if (tensor.IsContiguous && _keys.TryGetValue(region, out int known)) return known;
        if (tensor.IsContiguous) _keys[region] = _storages.Count;
        _storages.Add(tensor);
        return _storages.Count - 1;
    }

    private void Global(string module, string name)
    {
        if (Recall($"{module}\n{name}")) return;
        Op(PickleOpcode.Global);
        _bytes.Write(Encoding.ASCII.GetBytes($"{module}\n{name}\n"));
        Remember($"{module}\n{name}");
    }

    private void Text(string text)
    {
        // The prefix keeps texts apart from the names of classes.
        if (Recall("text " + text)) return;
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        Op(PickleOpcode.BinUnicode);
        Number(utf8.Length);
        _bytes.Write(utf8);
        Remember("text " + text);
    }

    private bool Recall(string key)
    {
        if (!_memo.TryGetValue(key, out int index)) return false;
        Op(PickleOpcode.LongBinGet);
        Number(index);
        return true;
    }

    private void Remember(string key)
    {
        Op(PickleOpcode.LongBinPut);
        Number(_memo.Count);
        _memo.Add(key, _memo.Count);
    }

    private void Integer(long value)
    {
        if (value is >= 0 and <= byte.MaxValue)
        {
            Op(PickleOpcode.BinInt1);
            _bytes.WriteByte((byte)value);
        }
        else if (value == (int)value)
        {
            Op(PickleOpcode.BinInt);
            Number((int)value);
        }
        else
        {
            byte[] bytes = new BigInteger(value).ToByteArray();
            Op(PickleOpcode.Long1);
            _bytes.WriteByte((byte)bytes.Length);
            _bytes.Write(bytes);
        }
    }

    private void Float(double value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteDoubleBigEndian(bytes, value);
        Op(PickleOpcode.BinFloat);
        _bytes.Write(bytes);
    }

    private void Number(int value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        _bytes.Write(bytes);
    }

    private void Op(PickleOpcode opcode) => _bytes.WriteByte((byte)opcode);
}
