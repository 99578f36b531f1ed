using Lavt.Tensors;

namespace Lavt.Nn.Weights;

/// <summary>
/// Makes tensors of what a checkpoint's pickle says, and believes nothing of it unchecked: types, sizes against the file,
/// shapes and strides against the storage. Each storage is read once, straight into its final memory, when its numbers are
/// first used: parts of a file that nobody wants, such as an optimizer's, cost nothing.
/// </summary>
internal sealed unsafe class PthTensorBuilder
{
    private readonly InputFile _file;
    private readonly Func<PthStorageId, StoragePlace> _locate;
    private readonly bool _bigEndian;
    private readonly Dictionary<string, PthStorage> _loaded = new(StringComparer.Ordinal);

    /// <param name="file">The checkpoint.</param>
    /// <param name="locate">Tells where a storage lies in the file.</param>
    /// <param name="bigEndian">True if numbers are stored with the most significant byte first.</param>
    public PthTensorBuilder(InputFile file, Func<PthStorageId, StoragePlace> locate, bool bigEndian)
    {
        _file = file;
        _locate = locate;
        _bigEndian = bigEndian;
    }

    /// <summary>The storage that a persistent id refers to.</summary>
    public object Load(object? persistentId)
    {
        PthStorageId id = PthStorageId.Parse(persistentId, _file);
        if (!_loaded.TryGetValue(id.Key, out PthStorage? storage))
            _loaded[id.Key] = storage = Reserve(id);
        if (storage.Type != id.Type || storage.Count != id.Count)
            throw _file.Error($"storage '{id.Key}' is described in two ways that contradict each other; the file is damaged");
        return id.View is var (start, count) ? storage with { Start = start, Count = count } : storage;
    }

    /// <summary>The value of one of PyTorch's functions applied to arguments, or null where an inert record is wanted.</summary>
    public object? Construct(PickleGlobal global, object?[] arguments) => (global.FullName, arguments) switch
    {
        ("torch._utils._rebuild_tensor_v2" or "torch._utils._rebuild_tensor", [PthStorage storage, long offset, object?[] size, object?[] stride, ..]) =>
            View(storage, offset, size, stride),
        ("torch._utils._rebuild_parameter" or "torch.nn.parameter.Parameter", [Tensor tensor, ..]) => tensor,
        ("torch.Size", [object?[] size]) => size,
        ("torch.Size", []) => Array.Empty<object?>(),
        ("torch._utils._rebuild_tensor_v3" or "torch._utils._rebuild_sparse_tensor" or "torch._utils._rebuild_qtensor", _) =>
            throw _file.Error($"a tensor of a special kind ({global.Name}); dense tensors of {PthTypes.Supported} can be read, convert it with PyTorch first"),
        _ when global.Module.StartsWith("torch._utils", StringComparison.Ordinal) =>
            throw _file.Error($"the arguments of {global} are none that PyTorch writes; the file is damaged"),
        _ => null,
    };

    private PthStorage Reserve(PthStorageId id)
    {
        StoragePlace place = _locate(id);
        if (place.Bytes != id.Bytes)
            throw _file.Error($"storage '{id.Key}' should have {id.Count} elements of {id.Type} ({id.Bytes} bytes), the file has {place.Bytes} bytes for it; the file is damaged");
        Storage memory = new(Math.Max(1, id.Bytes), data => Read(id, place, (byte*)data));
        MemoryScope.Own(memory);
        return new PthStorage(id.Type, memory, 0, id.Count);
    }

    private void Read(PthStorageId id, StoragePlace place, byte* target)
    {
        uint crc = _file.ReadWithChecksum(target, id.Bytes, place.Offset);
        if (place.Record is not null && crc != place.Record.Crc) throw _file.WrongChecksum(place.Record.Name);
        if (_bigEndian) ReverseBytes(target, id.Count, id.Type.Size());
    }

    private Tensor View(PthStorage storage, long offset, object?[] size, object?[] stride)
    {
        if (size.Length != stride.Length || size.Length > Shape.MaxRank)
            throw _file.Error($"a tensor has {size.Length} dimensions and {stride.Length} strides; tensors of at most {Shape.MaxRank} dimensions with a stride each can be read");
        Span<int> dims = stackalloc int[size.Length];
        Strides strides = default;
        bool empty = false;
        UInt128 last = 0;
        for (int i = 0; i < size.Length; i++)
        {
            if (size[i] is not long extent || extent is < 0 or > int.MaxValue || stride[i] is not long step || step < 0)
                throw _file.Error("a tensor has an extent or stride that is no number in range; the file is damaged");
            dims[i] = (int)extent;
            strides[i] = step;
            empty |= extent == 0;
            last += (UInt128)Math.Max(0, extent - 1) * (UInt128)step;
        }
        bool inside = offset >= 0 && offset <= storage.Count && (empty || last + (UInt128)offset < (UInt128)storage.Count);
        if (!inside) throw _file.Error($"a tensor of shape [{string.Join(", ", size)}] reaches beyond its storage of {storage.Count} elements; the file is damaged");
        try
        {
            return new Tensor(storage.Memory, new Shape(dims), storage.Type, strides, storage.Start + offset);
        }
        catch (OverflowException)
        {
            throw _file.Error($"a tensor of shape [{string.Join(", ", size)}] has too many elements; the file is damaged");
        }
    }

    private static void ReverseBytes(byte* data, long count, int size)
    {
        if (size == 1) return;
        for (long i = 0; i < count; i++) new Span<byte>(data + i * size, size).Reverse();
    }
}
