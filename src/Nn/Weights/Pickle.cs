namespace Lavt.Nn.Weights;

/// <summary>
/// Reads Python's pickle format, protocols 0 to 5, into plain data. Nothing that a pickle names is looked up, called or
/// created: classes and functions are names (<see cref="PickleGlobal"/>), what a program would have built from them is a
/// record of the request (<see cref="PickleObject"/>), and a name that the caller did not allow ends the reading.
/// </summary>
/// <remarks>
/// <para>What Python values become:</para>
/// <list type="table">
/// <item><term>None</term><description><c>null</c></description></item>
/// <item><term>bool, float</term><description><see cref="bool"/>, <see cref="double"/></description></item>
/// <item><term>int</term><description><see cref="long"/>, or <see cref="System.Numerics.BigInteger"/> beyond 64 bits</description></item>
/// <item><term>str, and the byte strings of Python 2</term><description><see cref="string"/>; bytes of Python 2 are read as UTF-8 where they are valid UTF-8, else as Latin-1</description></item>
/// <item><term>bytes, bytearray</term><description><c>byte[]</c></description></item>
/// <item><term>list</term><description><c>List&lt;object?&gt;</c></description></item>
/// <item><term>tuple</term><description><c>object?[]</c></description></item>
/// <item><term>dict, OrderedDict</term><description><see cref="PickleDict"/></description></item>
/// <item><term>set, frozenset</term><description><see cref="PickleSet"/></description></item>
/// <item><term>a class or function</term><description><see cref="PickleGlobal"/></description></item>
/// <item><term>an instance</term><description><see cref="PickleObject"/></description></item>
/// </list>
/// <para>
/// The result has no cycles and is at most <see cref="PickleOptions.MaxDepth"/> levels deep, so walking it recursively
/// cannot overflow the stack. Parts may be shared.
/// </para>
/// <para>Sources: Python's <c>pickletools</c> (opcodes), PEP 307 and PEP 3154 (protocols 2 and 4), PEP 574 (protocol 5).</para>
/// </remarks>
/// <example>
/// <code>
/// var options = new PickleOptions { Name = path };
/// using FileStream file = File.OpenRead(path);
/// foreach (object? item in (List&lt;object?&gt;)Pickle.Load(file, options)!)
/// {
///     var reference = (PickleDict)item!;
///     long annotation = reference.Get&lt;long&gt;("ann_id");
/// }
/// </code>
/// </example>
public static class Pickle
{
    /// <summary>Reads the pickle at the start of <paramref name="data"/>; bytes behind its end are ignored, as in Python.</summary>
    /// <param name="data">The bytes of the pickle.</param>
    /// <param name="options">Name for messages, allowed names and limits; the defaults allow no names.</param>
    /// <exception cref="PickleException">The data are damaged, cut off, beyond a limit, or name something that is not allowed.</exception>
    public static object? Load(ReadOnlyMemory<byte> data, PickleOptions? options = null) => Load(data.Span, options, out _);

    /// <summary>Reads the pickle at the start of <paramref name="data"/> and tells where it ends.</summary>
    /// <param name="data">The bytes of the pickle, perhaps followed by others.</param>
    /// <param name="options">Name for messages, allowed names and limits; the defaults allow no names.</param>
    /// <param name="length">The number of bytes that the pickle takes.</param>
    /// <exception cref="PickleException">The data are damaged, cut off, beyond a limit, or name something that is not allowed.</exception>
    public static object? Load(ReadOnlySpan<byte> data, PickleOptions? options, out int length)
    {
        options ??= new PickleOptions();
        PickleMachine machine = new(data, options);
        object? root = machine.Run();
        length = machine.Position;
        PickleGraph.Check(root, options, length);
        return root;
    }

    /// <summary>Reads a stream to its end and the pickle at its start.</summary>
    /// <param name="stream">A stream at the first byte of the pickle.</param>
    /// <param name="options">Name for messages, allowed names and limits; the defaults allow no names.</param>
    /// <exception cref="PickleException">The data are damaged, cut off, beyond a limit, or name something that is not allowed.</exception>
    public static object? Load(Stream stream, PickleOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        options ??= new PickleOptions();
        using MemoryStream bytes = new(stream.CanSeek ? (int)Math.Clamp(stream.Length - stream.Position, 0, options.MaxBytes) : 0);
        byte[] chunk = new byte[1 << 16];
        for (int got; (got = stream.Read(chunk)) > 0;)
        {
            if (bytes.Length + got > options.MaxBytes)
                throw new PickleException(options.Name, options.MaxBytes, $"the file is larger than the limit of {options.MaxBytes} bytes (PickleOptions.MaxBytes)");
            bytes.Write(chunk, 0, got);
        }
        return Load(bytes.GetBuffer().AsSpan(0, (int)bytes.Length), options, out _);
    }
}
