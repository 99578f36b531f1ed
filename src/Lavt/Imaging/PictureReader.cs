using Microsoft.Win32.SafeHandles;

namespace Lavt.Imaging;

/// <summary>
/// Reads picture files one after the other into the same memory. Not thread-safe: a reader per thread.
/// </summary>
public sealed class PictureReader
{
    private const long MaxFileBytes = 1L << 30;
    private byte[] _file = [];

    /// <summary>
    /// What the decoder complained about in the last picture without giving up (bytes between two markers, for example);
    /// null if nothing. Pillow reads such pictures without a word, and the pixels are the same.
    /// </summary>
    public string? Warning { get; private set; }

    /// <summary>Reads a JPEG or PNG file as RGB.</summary>
    /// <exception cref="PictureException">The file is missing, empty, cut off, damaged or not a picture.</exception>
    public void Read(string path, Picture into)
    {
        ArgumentNullException.ThrowIfNull(into);
        Warning = null;
        ReadOnlySpan<byte> data = ReadFile(path);
        if (Jpeg.Recognises(data)) Warning = Jpeg.Decode(data, path, into);
        else if (Png.Recognises(data)) Png.Decode(data, path, into);
        else throw NotAPicture(path, data, "JPEG and PNG files are read");
    }

    /// <summary>Reads a PNG file of one channel.</summary>
    /// <exception cref="PictureException">The file is missing, empty, cut off, damaged or no picture of one channel.</exception>
    public void Read(string path, Mask into)
    {
        ArgumentNullException.ThrowIfNull(into);
        Warning = null;
        ReadOnlySpan<byte> data = ReadFile(path);
        if (!Png.Recognises(data)) throw NotAPicture(path, data, "masks are PNG files");
        Png.DecodeMask(data, path, into);
    }

    private static PictureException NotAPicture(string path, ReadOnlySpan<byte> data, string expected) =>
        new(path, $"not a picture that can be read here: it begins with {BitConverter.ToString(data[..Math.Min(8, data.Length)].ToArray())}", expected);

    private ReadOnlySpan<byte> ReadFile(string path)
    {
        try
        {
            using SafeFileHandle file = File.OpenHandle(path);
            long length = RandomAccess.GetLength(file);
            if (length == 0) throw new PictureException(path, "the file is empty (0 bytes)", PictureException.GetItAgain);
            if (length > MaxFileBytes)
                throw new PictureException(path, $"the file has {length} bytes, and at most {MaxFileBytes} are read", "check that it is a picture");
            if (_file.Length < length) _file = GC.AllocateUninitializedArray<byte>((int)length);
            int read = 0;
            while (read < length)
            {
                int count = RandomAccess.Read(file, _file.AsSpan(read, (int)length - read), read);
                if (count == 0) break;
                read += count;
            }
            return _file.AsSpan(0, read);
        }
        catch (Exception failure) when (failure is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new PictureException(path, "there is no such file", "check the path and that the data set is complete", failure);
        }
        catch (UnauthorizedAccessException failure) when (Directory.Exists(path))
        {
            throw new PictureException(path, "this is a folder", "name a picture file", failure);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw new PictureException(path, $"the file cannot be read ({failure.Message})", "check its permissions and the disk", failure);
        }
    }
}
