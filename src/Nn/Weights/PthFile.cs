using System.Buffers.Binary;
using Lavt.Tensors;

namespace Lavt.Nn.Weights;

/// <summary>
/// PyTorch's checkpoint files (<c>.pth</c>, <c>.pt</c>, <c>pytorch_model.bin</c>): both formats that <c>torch.save</c> has
/// written are read, the present one is written. Nothing that a file names is run, see <see cref="Pickle"/>.
/// </summary>
/// <remarks>
/// <para>
/// What comes back is the tree that was saved: <see cref="PickleDict"/>, <c>List&lt;object?&gt;</c>, <c>object?[]</c>, numbers,
/// strings, and a <see cref="Tensor"/> for each tensor and parameter. Tensors that shared memory when they were saved share
/// it again, and those that were views (transposed, parts of others) are views: <see cref="Tensor.Copy"/> makes one contiguous.
/// As always, tensors belong to the <see cref="MemoryScope"/> that is open; call <see cref="Tensor.Persist"/> to keep them beyond it.
/// A file that is held open (<see cref="Open"/>) gives the numbers of a tensor when they are first used.
/// </para>
/// <para>Sources: <c>torch/serialization.py</c> and <c>caffe2/serialize/inline_container.cc</c> of PyTorch (facts of the format).</para>
/// </remarks>
public sealed class PthFile : IDisposable
{
    private readonly InputFile _file;

    private PthFile(InputFile file, object? root)
    {
        _file = file;
        Root = root;
    }

    /// <summary>The saved object, most often a <see cref="PickleDict"/>.</summary>
    public object? Root { get; }

    /// <summary>
    /// Opens a checkpoint. The numbers of each tensor are read, and their checksum is compared, when the tensor is first used;
    /// a file that is damaged there raises its <see cref="WeightFileException"/> then.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="without">Keys of the outermost dictionary whose values are left out (they read as null).</param>
    /// <exception cref="WeightFileException">The file is damaged, of another format, or names something that checkpoints do not.</exception>
    /// <exception cref="IOException">The file cannot be opened or read.</exception>
    public static PthFile Open(string path, params IReadOnlyCollection<string> without)
    {
        InputFile file = new(path);
        try
        {
            object? root = ReadTree(file);
            Drop(root, without);
            return new PthFile(file, root);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Reads a checkpoint with the numbers of all tensors.</summary>
    /// <param name="path">The file.</param>
    /// <param name="without">Keys of the outermost dictionary whose values are left out (they read as null) and cost no memory.</param>
    /// <returns>The saved object, most often a <see cref="PickleDict"/>.</returns>
    /// <exception cref="WeightFileException">The file is damaged, of another format, or names something that checkpoints do not.</exception>
    /// <exception cref="IOException">The file cannot be opened or read.</exception>
    public static object? Read(string path, params IReadOnlyCollection<string> without)
    {
        using PthFile file = Open(path, without);
        TensorTree.Load(file.Root);
        return file.Root;
    }

    /// <summary>Closes the file; tensors whose numbers were not read cannot be used afterwards.</summary>
    public void Dispose() => _file.Dispose();

    private static object? ReadTree(InputFile file)
    {
        Span<byte> start = stackalloc byte[16];
        start = start[..(int)Math.Min(start.Length, file.Length)];
        file.Read(start, 0);
        try
        {
            if (start.StartsWith("PK"u8)) return PthZip.Read(file);
            if (start.Length > 1 && start[0] == 0x80) return PthLegacy.Read(file);
        }
        catch (PickleException error)
        {
            throw file.Error($"{error.Problem} (byte {error.Offset} of the pickle)", error);
        }
        throw file.Error(Recognise(start));
    }

    /// <summary>
    /// Writes a checkpoint that <c>torch.load</c> reads, also with <c>weights_only=True</c>. The file appears whole or not at
    /// all (<see cref="AtomicFile"/>), and weights are not copied in memory.
    /// </summary>
    /// <param name="path">The file; one that exists is replaced.</param>
    /// <param name="root">
    /// A tree of <see cref="PickleDict"/> or dictionaries with string keys (dict), pairs of name and tensor (OrderedDict),
    /// lists, <c>object?[]</c> (tuple), strings, numbers, booleans, <c>null</c> and tensors.
    /// </param>
    /// <param name="keepNamespace">
    /// Write <c>argparse.Namespace</c> records as such. By default they become a plain dict, because
    /// <c>torch.load(weights_only=True)</c>, the default since PyTorch 2.6, refuses files that name the class.
    /// </param>
    /// <exception cref="ArgumentException">The tree holds something that cannot be written; the message says where.</exception>
    /// <exception cref="IOException">The disk is full or the file cannot be written; an old file is unchanged.</exception>
    public static void Write(string path, object? root, bool keepNamespace = false) => PthWriter.Write(path, root, keepNamespace);

    /// <summary>The attributes of an <c>argparse.Namespace</c> (the <c>args</c> of a checkpoint), or a dict as it is.</summary>
    /// <returns>Names and values, or null if <paramref name="value"/> is neither.</returns>
    public static PickleDict? AsNamespace(object? value) => value switch
    {
        PickleDict dict => dict,
        PickleObject { Global.FullName: "argparse.Namespace", State: PickleDict attributes } => attributes,
        PickleObject { Global.FullName: "argparse.Namespace", State: null } => new PickleDict(),
        _ => null,
    };

    /// <summary>Leaves values of the outermost dictionary out.</summary>
    private static void Drop(object? root, IReadOnlyCollection<string> keys)
    {
        if (root is not PickleDict tree) return;
        foreach (string key in keys)
            if (tree.ContainsKey(key)) tree[key] = null;
    }

    /// <summary>What a file that is no checkpoint probably is.</summary>
    private static string Recognise(ReadOnlySpan<byte> start)
    {
        if (start.IsEmpty) return "the file is empty; get it again";
        if (start.StartsWith("<"u8)) return "this is a web page, not a checkpoint; the download gave an error page, get the file again";
        if (start.StartsWith("version https:"u8)) return "this is a pointer of Git LFS, not the checkpoint itself; run git lfs pull";
        if (start.Length > 8 && start[8] == '{' && BinaryPrimitives.ReadUInt64LittleEndian(start) < 1UL << 32)
            return "this is a safetensors file; give it the ending .safetensors";
        return "this is no PyTorch checkpoint: it starts neither as a zip file nor as a pickle; get the file again, or save it with a PyTorch newer than 0.1.10";
    }
}
