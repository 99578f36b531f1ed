using Lavt.Tensors;

namespace Lavt.Nn.Weights;

/// <summary>A tensor in a safetensors file.</summary>
/// <param name="Name">Its name.</param>
/// <param name="DType">Its element type.</param>
/// <param name="Shape">Its extents.</param>
/// <param name="Offset">Where its first byte lies in the file.</param>
public sealed record SafetensorsEntry(string Name, DType DType, Shape Shape, long Offset)
{
    /// <summary>Its size in bytes.</summary>
    public long Bytes => Shape.Count * DType.Size();
}

/// <summary>
/// The safetensors format: a JSON header with names, types, shapes and places, then the numbers. The header is read and
/// checked when the file is opened, each tensor when it is asked for.
/// </summary>
/// <remarks>
/// Source: the format's description and the checks of its reference implementation (huggingface/safetensors): a header of
/// at most 100 MB, no duplicate keys, places that cover the rest of the file without holes and without sharing.
/// </remarks>
public sealed class SafetensorsFile : IDisposable
{
    internal const int MaxHeader = 100_000_000;
    private readonly InputFile _file;
    private readonly Dictionary<string, SafetensorsEntry> _byName;

    private SafetensorsFile(InputFile file, SafetensorsHeader header)
    {
        _file = file;
        Entries = header.Entries;
        Metadata = header.Metadata;
        _byName = header.Entries.ToDictionary(entry => entry.Name, StringComparer.Ordinal);
    }

    /// <summary>The tensors in the order of their bytes.</summary>
    public IReadOnlyList<SafetensorsEntry> Entries { get; }

    /// <summary>The texts stored under <c>__metadata__</c>; empty if there are none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Opens a file and checks its header.</summary>
    /// <exception cref="WeightFileException">The file is damaged or of another format.</exception>
    /// <exception cref="IOException">The file cannot be opened or read.</exception>
    public static SafetensorsFile Open(string path)
    {
        InputFile file = new(path);
        try
        {
            return new SafetensorsFile(file, SafetensorsHeader.Read(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Reads all tensors of a file.</summary>
    /// <exception cref="WeightFileException">The file is damaged or of another format.</exception>
    public static IReadOnlyDictionary<string, Tensor> ReadAll(string path)
    {
        using SafetensorsFile file = Open(path);
        OrderedDictionary<string, Tensor> tensors = new(StringComparer.Ordinal);
        foreach (SafetensorsEntry entry in file.Entries) tensors.Add(entry.Name, file.ReadWhenUsed(entry.Name));
        TensorTree.Load(tensors.Values);
        return tensors;
    }

    /// <summary>Writes tensors and texts; the file appears whole or not at all (<see cref="AtomicFile"/>).</summary>
    /// <param name="path">The file; one that exists is replaced.</param>
    /// <param name="tensors">CPU tensors with their names; views are written in row-major order.</param>
    /// <param name="metadata">Texts for <c>__metadata__</c>.</param>
    /// <exception cref="ArgumentException">A name is given twice, or is <c>__metadata__</c>.</exception>
    /// <exception cref="IOException">The disk is full or the file cannot be written; an old file is unchanged.</exception>
    public static void Write(string path, IEnumerable<KeyValuePair<string, Tensor>> tensors, IEnumerable<KeyValuePair<string, string>>? metadata = null)
    {
        // Larger elements first, so that each tensor starts at a multiple of its element size.
        KeyValuePair<string, Tensor>[] ordered = [.. tensors.OrderByDescending(entry => entry.Value.DType.Size())];
        byte[] header = SafetensorsHeader.Write(ordered, metadata ?? []);
        long bytes = header.Length + ordered.Sum(entry => TensorBytes.Size(entry.Value));
        AtomicFile.Write(path, stream =>
        {
            stream.Write(header);
            foreach ((_, Tensor tensor) in ordered) TensorBytes.ForEach(tensor, stream.Write);
        }, bytes);
    }

    /// <summary>Reads one tensor, straight into its memory.</summary>
    /// <exception cref="KeyNotFoundException">The file has no such tensor.</exception>
    /// <exception cref="WeightFileException">The file became shorter since it was opened.</exception>
    public Tensor Read(string name)
    {
        Tensor tensor = ReadWhenUsed(name);
        tensor.Storage.Load();
        return tensor;
    }

    /// <summary>A tensor whose numbers are read when it is first used; <see cref="Read"/>'s errors concerning the file come then.</summary>
    /// <exception cref="KeyNotFoundException">The file has no such tensor.</exception>
    public unsafe Tensor ReadWhenUsed(string name)
    {
        if (!_byName.TryGetValue(name, out SafetensorsEntry? entry))
            throw new KeyNotFoundException($"{_file.Path} has no tensor '{name}'");
        return Tensor.FilledWhenUsed(entry.Shape, entry.DType, data => _file.ReadWithChecksum((byte*)data, entry.Bytes, entry.Offset));
    }

    /// <summary>Closes the file; tensors already read stay, others cannot be used any more.</summary>
    public void Dispose() => _file.Dispose();
}
