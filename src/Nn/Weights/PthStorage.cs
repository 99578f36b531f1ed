using Lavt.Tensors;

namespace Lavt.Nn.Weights;

/// <summary>Where the bytes of a storage lie in a checkpoint.</summary>
/// <param name="Offset">The first byte.</param>
/// <param name="Bytes">How many.</param>
/// <param name="Record">The member of a zip file, which has a checksum; null in the older format, which has none.</param>
internal readonly record struct StoragePlace(long Offset, long Bytes, ZipEntry? Record);

/// <summary>A storage in memory, or a part of one, that tensors are views of.</summary>
/// <param name="Type">The element type.</param>
/// <param name="Memory">The memory.</param>
/// <param name="Start">The first element that belongs to this storage.</param>
/// <param name="Count">The number of elements.</param>
internal sealed record PthStorage(DType Type, Storage Memory, long Start, long Count);

/// <summary>What a checkpoint's pickle says of a storage: the persistent id.</summary>
/// <param name="Key">The name of the storage in the file.</param>
/// <param name="Type">The element type.</param>
/// <param name="Count">The number of elements.</param>
/// <param name="View">In the older format, the part of the storage that is meant; null for all of it.</param>
internal sealed record PthStorageId(string Key, DType Type, long Count, (long Start, long Count)? View)
{
    /// <summary>The size in bytes.</summary>
    public long Bytes => Count * Type.Size();

    /// <summary>Reads <c>("storage", class, key, location, count)</c>, in the older format with a view behind it.</summary>
    /// <exception cref="WeightFileException">It is something else, or of a type that cannot be read.</exception>
    public static PthStorageId Parse(object? id, InputFile file)
    {
        if (id is object?[] and ["module", ..])
            throw file.Error("the file holds a whole pickled model with its program; save its state_dict() instead: torch.save(model.state_dict(), path)");
        if (id is not object?[] { Length: 5 or 6 } parts || parts is not ["storage", PickleGlobal type, string key, _, long count, ..] || count < 0)
            throw file.Error("a reference to a storage is malformed; the file is damaged");
        if (!PthTypes.TryFind(type, out DType dtype))
            throw file.Error($"a tensor is stored as {type}; {PthTypes.Supported} can be read, convert the tensor with PyTorch first");
        if (count > file.Length / dtype.Size())
            throw file.Error($"storage '{key}' is said to have {count} elements, more than the file has bytes for; the file is damaged");
        (long, long)? view = parts.Length == 6 && parts[5] is object?[] and [_, long start, long viewCount] ? (start, viewCount) : null;
        if (parts.Length == 6 && parts[5] is not null && view is null)
            throw file.Error("a reference to a part of a storage is malformed; the file is damaged");
        if (view is var (from, length) && (from < 0 || length < 0 || from > count - length))
            throw file.Error($"a part of storage '{key}' lies outside of it; the file is damaged");
        return new PthStorageId(key, dtype, count, view);
    }
}
