namespace Lavt.Imaging;

/// <summary>How many samples of colour a JPEG picture keeps.</summary>
public enum ChromaSampling
{
    /// <summary>One for each pixel (4:4:4).</summary>
    Full = 0,

    /// <summary>One for two pixels side by side (4:2:2).</summary>
    Half = 1,

    /// <summary>One for a square of four pixels (4:2:0), as most cameras and programs write it.</summary>
    Quarter = 2,
}

/// <summary>
/// JPEG through libjpeg-turbo. Pixels are equal to those that Pillow gives for <c>Image.open(…).convert("RGB")</c>, because
/// both use the library's accurate inverse DCT and smooth chroma upsampling.
/// </summary>
public static unsafe class Jpeg
{
    private const string CutOff = "Premature end of JPEG file";

    /// <summary>How those complaints begin that leave a whole picture.</summary>
    private static readonly string[] s_tolerated =
        ["Corrupt JPEG data:", "Warning:", "Unknown Adobe color transform", "Inconsistent progression sequence", "Invalid SOS parameters"];

    private static ReadOnlySpan<byte> Signature => [0xFF, 0xD8, 0xFF];

    private static ReadOnlySpan<byte> ScanMarker => [0xFF, 0xDA];

    private static ReadOnlySpan<byte> EndMarker => [0xFF, 0xD9];

    /// <summary>True if the bytes begin like a JPEG file.</summary>
    public static bool Recognises(ReadOnlySpan<byte> data) => data.StartsWith(Signature);

    /// <summary>Decodes a JPEG file.</summary>
    /// <param name="data">The bytes of the file.</param>
    /// <param name="name">What error messages call the file.</param>
    /// <exception cref="PictureException">The picture is cut off, damaged or too large.</exception>
    /// <exception cref="DllNotFoundException">libturbojpeg is not installed.</exception>
    public static Picture Decode(ReadOnlySpan<byte> data, string name)
    {
        Picture picture = new();
        Decode(data, name, picture);
        return picture;
    }

    /// <summary>Decodes a JPEG file into the memory of <paramref name="into"/>.</summary>
    /// <param name="data">The bytes of the file.</param>
    /// <param name="name">What error messages call the file.</param>
    /// <param name="into">Gets the size and the pixels of the picture.</param>
    /// <returns>What the decoder complained about without giving up, or null.</returns>
    /// <exception cref="PictureException">The picture is cut off, damaged or too large.</exception>
    /// <exception cref="DllNotFoundException">libturbojpeg is not installed.</exception>
    public static string? Decode(ReadOnlySpan<byte> data, string name, Picture into)
    {
        ArgumentNullException.ThrowIfNull(into);
        // A handle of its own for every picture: after an error in a header the library leaves a handle unusable.
        nint handle = Open(decompress: true);
        try
        {
            fixed (byte* bytes = data)
            {
                bool cmyk = ReadHeader(handle, bytes, data.Length, name, into);
                return cmyk ? DecodeCmyk(handle, bytes, data.Length, name, into) : DecodeRgb(handle, bytes, data.Length, name, into);
            }
        }
        finally
        {
            TurboJpeg.Destroy(handle);
        }
    }

    /// <summary>Encodes a picture as a JPEG file.</summary>
    /// <param name="picture">The picture, of at least one pixel.</param>
    /// <param name="quality">1 (small) to 100 (good).</param>
    /// <param name="sampling">How much of the colour is kept.</param>
    /// <exception cref="DllNotFoundException">libturbojpeg is not installed.</exception>
    public static byte[] Encode(Picture picture, int quality = 90, ChromaSampling sampling = ChromaSampling.Quarter)
    {
        ArgumentNullException.ThrowIfNull(picture);
        ArgumentOutOfRangeException.ThrowIfLessThan(quality, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(quality, 100);
        nint handle = Open(decompress: false);
        byte* data = null;
        nuint size = 0;
        try
        {
            fixed (byte* pixels = picture.Pixels)
            {
                int status = TurboJpeg.Compress(
                    handle, pixels, picture.Columns, picture.Columns * 3, picture.Rows, TurboJpeg.PixelRgb, &data, &size, (int)sampling, quality, 0);
                if (status != 0)
                    throw new InvalidOperationException($"cannot encode a picture of {picture.Rows} x {picture.Columns} pixels as JPEG: {TurboJpeg.LastError(handle)}");
            }
            return new ReadOnlySpan<byte>(data, checked((int)size)).ToArray();
        }
        finally
        {
            TurboJpeg.Free(data);
            TurboJpeg.Destroy(handle);
        }
    }

    private static nint Open(bool decompress)
    {
        try
        {
            nint handle = decompress ? TurboJpeg.InitDecompress() : TurboJpeg.InitCompress();
            return handle != 0 ? handle : throw new InvalidOperationException("libturbojpeg gave no handle; the machine is out of memory");
        }
        catch (DllNotFoundException failure)
        {
            throw TurboJpeg.Missing(failure);
        }
    }

    /// <summary>Gives the picture its size; true if the file holds CMYK.</summary>
    private static bool ReadHeader(nint handle, byte* bytes, int size, string name, Picture into)
    {
        int width = 0, height = 0, subsampling = -1, color = -1;
        int status = TurboJpeg.Header(handle, bytes, (nuint)size, &width, &height, &subsampling, &color);
        // Unusual sampling factors are an error to this call alone: size and colours are known, and decoding works.
        bool onlySampling = width > 0 && height > 0 && color >= 0 && subsampling < 0;
        if (status != 0 && !onlySampling) Check(handle, bytes, size, name);
        if (width < 1 || height < 1) throw Damaged(name, "no size in the header");
        if ((long)width * height > Picture.MaxPixels)
            throw PictureException.TooLarge(name, height, width);
        into.Reshape(height, width);
        return color is TurboJpeg.ColorCmyk or TurboJpeg.ColorYcck;
    }

    private static string? DecodeRgb(nint handle, byte* bytes, int size, string name, Picture into)
    {
        fixed (byte* pixels = into.Pixels)
        {
            int status = TurboJpeg.Decompress(
                handle, bytes, (nuint)size, pixels, into.Columns, into.Columns * 3, into.Rows, TurboJpeg.PixelRgb, TurboJpeg.LimitScans);
            return status == 0 ? null : Check(handle, bytes, size, name);
        }
    }

    private static string? DecodeCmyk(nint handle, byte* bytes, int size, string name, Picture into)
    {
        int count = into.Rows * into.Columns;
        byte[] inks = GC.AllocateUninitializedArray<byte>(count * 4);
        fixed (byte* pixels = inks)
        {
            int status = TurboJpeg.Decompress(
                handle, bytes, (nuint)size, pixels, into.Columns, into.Columns * 4, into.Rows, TurboJpeg.PixelCmyk, TurboJpeg.LimitScans);
            string? warning = status == 0 ? null : Check(handle, bytes, size, name);
            CmykToRgb(inks, into.Pixels);
            return warning;
        }
    }

    /// <summary>
    /// The conversion of Pillow: files are taken to hold inverted inks, as Adobe writes them, so that a stored value is the
    /// light that the ink lets through; each channel is white less black, less the ink's share of that.
    /// </summary>
    private static void CmykToRgb(ReadOnlySpan<byte> inks, Span<byte> rgb)
    {
        for (int from = 0, to = 0; to < rgb.Length; from += 4)
        {
            int light = inks[from + 3];
            for (int channel = 0; channel < 3; channel++)
            {
                int product = (255 - inks[from + channel]) * light + 128;
                rgb[to++] = (byte)Math.Clamp(light - ((product >> 8) + product >> 8), 0, 255);
            }
        }
    }

    /// <summary>
    /// Sorts out the library's complaint. A cut-off picture is a mere warning to it (the rest is grey) and an error here, as
    /// in Pillow; damage that the decoder got over is handed on, as Pillow accepts it. The library's own distinction between
    /// errors and warnings is of no use: an error that follows a warning counts as a warning.
    /// </summary>
    private static string? Check(nint handle, byte* bytes, int size, string name)
    {
        string message = TurboJpeg.LastError(handle);
        bool tolerated = false;
        foreach (string beginning in s_tolerated) tolerated |= message.StartsWith(beginning, StringComparison.Ordinal);
        if (message.Contains(CutOff, StringComparison.Ordinal) || (tolerated && !HasEnd(new ReadOnlySpan<byte>(bytes, size))))
            throw new PictureException(name, "the picture is cut off: the file ends before its last row", PictureException.GetItAgain);
        return tolerated ? message : throw Damaged(name, message);
    }

    /// <summary>Only the first warning is reported, so that the end must be looked for: an end marker behind the last start of a scan.</summary>
    private static bool HasEnd(ReadOnlySpan<byte> data) => data.LastIndexOf(EndMarker) > data.LastIndexOf(ScanMarker);

    private static PictureException Damaged(string name, string message) =>
        new(name, $"the JPEG picture is damaged ({message})", PictureException.GetItAgain);
}
