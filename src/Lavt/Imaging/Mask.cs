namespace Lavt.Imaging;

/// <summary>
/// One byte per pixel, row after row: 0 and 1 for a mask, or the indices of a palette. Can be filled again and again, like
/// <see cref="Picture"/>.
/// </summary>
public sealed class Mask
{
    private byte[] _pixels = [];

    /// <summary>A mask of no pixels, to be filled.</summary>
    public Mask()
    {
    }

    /// <summary>A mask of zeros.</summary>
    /// <param name="rows">The height in pixels.</param>
    /// <param name="columns">The width in pixels.</param>
    public Mask(int rows, int columns)
    {
        Reshape(rows, columns);
        Pixels.Clear();
    }

    /// <summary>The height in pixels.</summary>
    public int Rows { get; private set; }

    /// <summary>The width in pixels.</summary>
    public int Columns { get; private set; }

    /// <summary>The pixels: rows × columns.</summary>
    public Span<byte> Pixels => _pixels.AsSpan(0, Rows * Columns);

    /// <summary>Reads a PNG file of one channel; see <see cref="Png.DecodeMask(ReadOnlySpan{byte}, string, Mask)"/>.</summary>
    /// <exception cref="PictureException">The file is missing, empty, cut off, damaged or has colours instead of indices.</exception>
    /// <exception cref="DllNotFoundException">The decoding library is not installed; the message says how to get it.</exception>
    public static Mask Load(string path)
    {
        Mask mask = new();
        new PictureReader().Read(path, mask);
        return mask;
    }

    /// <summary>Gives the mask another size. The pixels are not set afterwards.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A side is negative or there are more than <see cref="Picture.MaxPixels"/> pixels.</exception>
    public void Reshape(int rows, int columns)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)rows * columns, Picture.MaxPixels, "rows * columns");
        if (_pixels.Length < rows * columns) _pixels = GC.AllocateUninitializedArray<byte>(rows * columns);
        (Rows, Columns) = (rows, columns);
    }

    /// <summary>The number of pixels that are not 0.</summary>
    public int Area() => Rows * Columns - Pixels.Count((byte)0);

    /// <summary>Makes a mask of palette indices: 1 where the index is <paramref name="value"/>, 0 elsewhere.</summary>
    public void KeepOnly(byte value)
    {
        foreach (ref byte pixel in Pixels) pixel = pixel == value ? (byte)1 : (byte)0;
    }

    /// <summary>Writes the mask as an 8-bit grey PNG file: 0 stays 0, everything else becomes 255.</summary>
    public void SavePng(string path) => PictureFile.Write(path, Png.EncodeMask(this));

    /// <summary>Writes palette indices as they are, with the colours of <see cref="Palette"/>.</summary>
    public void SaveIndices(string path)
    {
        int largest = 1;
        foreach (byte index in Pixels) largest = Math.Max(largest, index);
        PictureFile.Write(path, Png.EncodeIndices(this, Palette.Bytes(largest + 1)));
    }
}
