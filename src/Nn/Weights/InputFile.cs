using Microsoft.Win32.SafeHandles;

namespace Lavt.Nn.Weights;

/// <summary>A file read at chosen places, straight into the memory that needs the bytes.</summary>
internal sealed class InputFile : IDisposable
{
    // Small enough that a checksum over a piece finds it still in the processor's cache.
    private const int Piece = 1 << 18;

    private readonly SafeFileHandle _handle;

    public InputFile(string path)
    {
        Path = path;
        if (!File.Exists(path)) throw Error(Directory.Exists(path) ? "this is a folder, a file of weights was expected" : "there is no such file; check the path");
        _handle = File.OpenHandle(path);
        Length = RandomAccess.GetLength(_handle);
    }

    public string Path { get; }

    public long Length { get; }

    public WeightFileException Error(string problem, Exception? cause = null) => new(Path, problem, cause);

    public WeightFileException WrongChecksum(string member) =>
        Error($"the checksum of '{member}' is wrong: its bytes have changed since the file was written; get the file again");

    /// <summary>Fills <paramref name="target"/> with the bytes from <paramref name="offset"/> on.</summary>
    /// <exception cref="WeightFileException">The file ends before.</exception>
    public void Read(Span<byte> target, long offset)
    {
        while (!target.IsEmpty)
        {
            int got = offset >= 0 ? RandomAccess.Read(_handle, target, offset) : 0;
            if (got == 0) throw Error($"the file ends at byte {Length} where {target.Length} more bytes are needed; it is cut off, get it again");
            target = target[got..];
            offset += got;
        }
    }

    /// <summary>Fills native memory and returns the CRC-32 of what was read.</summary>
    public unsafe uint ReadWithChecksum(byte* target, long bytes, long offset)
    {
        uint crc = 0;
        for (long done = 0; done < bytes; done += Piece)
        {
            Span<byte> piece = new(target + done, (int)Math.Min(Piece, bytes - done));
            Read(piece, offset + done);
            crc = Crc32.Append(crc, piece);
        }
        return crc;
    }

    public void Dispose() => _handle.Dispose();
}
