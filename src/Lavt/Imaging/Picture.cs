namespace Lavt.Imaging;

/// <summary>
/// A picture of 8-bit RGB pixels, row after row. The object can be filled again and again: <see cref="Reshape"/> keeps its
/// memory as long as that is large enough.
/// </summary>
public sealed class Picture
{
    /// <summary>
    /// The largest number of pixels that is accepted from a file, the limit beyond which Pillow refuses a picture as a
    /// decompression bomb.
    /// </summary>
    public const long MaxPixels = 178_956_970;

    /// <summary>Bytes that lie readable behind the last pixel, so that wide loads need no special case for it.</summary>
    internal const int Slack = 32;

    private byte[] _pixels = [];

    /// <summary>A picture of no pixels, to be filled.</summary>
    public Picture()
    {
    }

    /// <summary>A picture whose pixels are not set.</summary>
    /// <param name="rows">The height in pixels.</param>
    /// <param name="columns">The width in pixels.</param>
    public Picture(int rows, int columns) => Reshape(rows, columns);

    /// <summary>The height in pixels.</summary>
    public int Rows { get; private set; }

    /// <summary>The width in pixels.</summary>
    public int Columns { get; private set; }

    /// <summary>The pixels: rows × columns × (red, green, blue).</summary>
    public Span<byte> Pixels => _pixels.AsSpan(0, Rows * Columns * 3);

    /// <summary>The memory behind <see cref="Pixels"/> with at least <see cref="Slack"/> bytes more.</summary>
    internal Span<byte> Memory => _pixels;

    /// <summary>Reads a JPEG or PNG file; which of them it is shows in the content, not in the name.</summary>
    /// <exception cref="PictureException">The file is missing, empty, cut off, damaged or not a picture.</exception>
    /// <exception cref="DllNotFoundException">The decoding library is not installed; the message says how to get it.</exception>
    public static Picture Load(string path)
    {
        Picture picture = new();
        new PictureReader().Read(path, picture);
        return picture;
    }

    /// <summary>Gives the picture another size. The pixels are not set afterwards.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A side is negative or there are more than <see cref="MaxPixels"/> pixels.</exception>
    public void Reshape(int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)rows * columns, MaxPixels, "rows * columns");
        int needed = rows * columns * 3 + Slack;
        if (_pixels.Length < needed) _pixels = GC.AllocateUninitializedArray<byte>(needed);
        (Rows, Columns) = (rows, columns);
    }

    /// <summary>Writes the picture as a PNG file.</summary>
    public void SavePng(string path) => PictureFile.Write(path, Png.Encode(this));

    /// <summary>Writes the picture as a JPEG file.</summary>
    /// <param name="path">The file to write.</param>
    /// <param name="quality">1 (small) to 100 (good).</param>
    public void SaveJpeg(string path, int quality = 90) => PictureFile.Write(path, Jpeg.Encode(this, quality));
}
