using System.Runtime.InteropServices;

namespace Lavt.Imaging;

/// <summary>
/// PNG through libspng. Pictures are read as 8-bit RGB with transparency dropped, as Pillow's <c>convert("RGB")</c> does, and
/// masks as palette indices or grey values.
/// </summary>
public static unsafe class Png
{
    private const uint MaxSide = 1 << 20;
    private const int MaxChunkBytes = 64 << 20;
    private const int DefaultCompression = -1;

    /// <summary>zlib's level for photographs: they take three times as long at its default, and become a few percent smaller.</summary>
    private const int PictureCompression = 3;

    private static ReadOnlySpan<byte> Signature => [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A];

    /// <summary>True if the bytes begin like a PNG file.</summary>
    public static bool Recognises(ReadOnlySpan<byte> data) => data.StartsWith(Signature);

    /// <summary>Decodes a PNG file of any kind as RGB. Of 16-bit channels the upper 8 bits are kept.</summary>
    /// <param name="data">The bytes of the file.</param>
    /// <param name="name">What error messages call the file.</param>
    /// <exception cref="PictureException">The picture is cut off, damaged or too large.</exception>
    /// <exception cref="DllNotFoundException">libspng is not installed.</exception>
    public static Picture Decode(ReadOnlySpan<byte> data, string name)
    {
        Picture picture = new();
        Decode(data, name, picture);
        return picture;
    }

    /// <summary>Decodes a PNG file of any kind into the memory of <paramref name="into"/>.</summary>
    /// <inheritdoc cref="Decode(ReadOnlySpan{byte}, string)"/>
    public static void Decode(ReadOnlySpan<byte> data, string name, Picture into)
    {
        ArgumentNullException.ThrowIfNull(into);
        nint context = Open(0);
        try
        {
            fixed (byte* bytes = data)
            {
                Spng.Header header = ReadHeader(context, bytes, data.Length, name);
                into.Reshape((int)header.Height, (int)header.Width);
                DecodePixels(context, name, Spng.FormatRgb8, into.Pixels);
            }
        }
        finally
        {
            Spng.FreeContext(context);
        }
    }

    /// <summary>
    /// Decodes a PNG file of one channel: the indices of a palette as they are, grey values spread over 0 … 255.
    /// </summary>
    /// <param name="data">The bytes of the file.</param>
    /// <param name="name">What error messages call the file.</param>
    /// <param name="into">Gets the size and the pixels.</param>
    /// <exception cref="PictureException">The file is cut off, damaged or has several channels or 16 bits.</exception>
    /// <exception cref="DllNotFoundException">libspng is not installed.</exception>
    public static void DecodeMask(ReadOnlySpan<byte> data, string name, Mask into)
    {
        ArgumentNullException.ThrowIfNull(into);
        nint context = Open(0);
        try
        {
            fixed (byte* bytes = data)
            {
                Spng.Header header = ReadHeader(context, bytes, data.Length, name);
                if (header.ColorType is not (Spng.ColorGrey or Spng.ColorIndexed) || header.BitDepth > 8)
                    throw new PictureException(name, $"a mask has one channel of at most 8 bits, this picture is {Kind(header)}", "save it as a grey or palette PNG");
                into.Reshape((int)header.Height, (int)header.Width);
                if (header.BitDepth == 8) DecodePixels(context, name, Spng.FormatPng, into.Pixels);
                else DecodePacked(context, name, header, into);
            }
        }
        finally
        {
            Spng.FreeContext(context);
        }
    }

    /// <summary>Encodes a picture as an RGB file.</summary>
    /// <exception cref="DllNotFoundException">libspng is not installed.</exception>
    public static byte[] Encode(Picture picture)
    {
        ArgumentNullException.ThrowIfNull(picture);
        return Encode(picture.Pixels, picture.Rows, picture.Columns, Spng.ColorRgb, [], PictureCompression);
    }

    /// <summary>Encodes a mask as an 8-bit grey file: 0 stays 0, everything else becomes 255.</summary>
    /// <exception cref="DllNotFoundException">libspng is not installed.</exception>
    public static byte[] EncodeMask(Mask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        byte[] grey = new byte[mask.Pixels.Length];
        for (int i = 0; i < grey.Length; i++) grey[i] = mask.Pixels[i] == 0 ? (byte)0 : (byte)255;
        return Encode(grey, mask.Rows, mask.Columns, Spng.ColorGrey, []);
    }

    /// <summary>Encodes indices together with their palette.</summary>
    /// <param name="indices">The index of each pixel.</param>
    /// <param name="palette">Red, green and blue of each index, at most 256 × 3 bytes.</param>
    /// <exception cref="ArgumentException">The palette has no whole number of colours, too many, or fewer than the indices use.</exception>
    /// <exception cref="DllNotFoundException">libspng is not installed.</exception>
    public static byte[] EncodeIndices(Mask indices, ReadOnlySpan<byte> palette)
    {
        ArgumentNullException.ThrowIfNull(indices);
        if (palette.Length is 0 or > 768 || palette.Length % 3 != 0)
            throw new ArgumentException($"a palette has 1 to 256 colours of 3 bytes, got {palette.Length} bytes", nameof(palette));
        int largest = 0;
        foreach (byte index in indices.Pixels) largest = Math.Max(largest, index);
        if (largest >= palette.Length / 3)
            throw new ArgumentException($"the indices go up to {largest}, the palette has only {palette.Length / 3} colours", nameof(palette));
        return Encode(indices.Pixels, indices.Rows, indices.Columns, Spng.ColorIndexed, palette);
    }

    private static nint Open(int flags)
    {
        try
        {
            nint context = Spng.NewContext(flags);
            return context != 0 ? context : throw new InvalidOperationException("libspng gave no context; the machine is out of memory");
        }
        catch (DllNotFoundException failure)
        {
            throw Spng.Missing(failure);
        }
    }

    private static Spng.Header ReadHeader(nint context, byte* bytes, int size, string name)
    {
        Spng.Header header;
        Check(Spng.SetImageLimits(context, MaxSide, MaxSide), name);
        Check(Spng.SetChunkLimits(context, MaxChunkBytes, MaxChunkBytes), name);
        Check(Spng.SetInput(context, bytes, (nuint)size), name);
        Check(Spng.GetHeader(context, &header), name);
        if ((long)header.Width * header.Height > Picture.MaxPixels)
            throw PictureException.TooLarge(name, header.Height, header.Width);
        return header;
    }

    private static void DecodePixels(nint context, string name, int format, Span<byte> into)
    {
        fixed (byte* pixels = into)
            Check(Spng.DecodeImage(context, pixels, (nuint)into.Length, format, 0), name);
        // The last checksum lies behind the pixels.
        Check(Spng.DecodeRest(context), name);
    }

    /// <summary>Files of 1, 2 or 4 bits come packed, the first pixel in the upper bits, each row from a new byte.</summary>
    private static void DecodePacked(nint context, string name, in Spng.Header header, Mask into)
    {
        nuint size;
        Check(Spng.DecodedSize(context, Spng.FormatPng, &size), name);
        byte[] packed = new byte[size];
        DecodePixels(context, name, Spng.FormatPng, packed);
        int bits = header.BitDepth, largest = (1 << bits) - 1;
        int scale = header.ColorType == Spng.ColorGrey ? 255 / largest : 1;
        int rowBytes = (into.Columns * bits + 7) / 8;
        Span<byte> pixels = into.Pixels;
        for (int row = 0, to = 0; row < into.Rows; row++)
        {
            for (int column = 0; column < into.Columns; column++, to++)
            {
                int bit = column * bits;
                int value = packed[row * rowBytes + bit / 8] >> (8 - bits - bit % 8) & largest;
                pixels[to] = (byte)(value * scale);
            }
        }
    }

    private static byte[] Encode(ReadOnlySpan<byte> pixels, int rows, int columns, byte colorType, ReadOnlySpan<byte> palette, int compression = DefaultCompression)
    {
        const string Name = "PNG encoder";
        nint context = Open(Spng.EncoderContext);
        byte* output = null;
        try
        {
            Spng.Header header = new() { Width = (uint)columns, Height = (uint)rows, BitDepth = 8, ColorType = colorType };
            Check(Spng.SetOption(context, Spng.OptionEncodeToBuffer, 1), Name);
            Check(Spng.SetOption(context, Spng.OptionCompressionLevel, compression), Name);
            Check(Spng.SetHeader(context, &header), Name);
            if (palette.Length > 0) SetPalette(context, palette);
            fixed (byte* source = pixels)
                Check(Spng.EncodeImage(context, source, (nuint)pixels.Length, Spng.FormatPng, Spng.Finalize), Name);
            nuint size;
            int status;
            output = Spng.GetOutput(context, &size, &status);
            Check(status, Name);
            return new ReadOnlySpan<byte>(output, checked((int)size)).ToArray();
        }
        finally
        {
            NativeMemory.Free(output);
            Spng.FreeContext(context);
        }
    }

    private static void SetPalette(nint context, ReadOnlySpan<byte> palette)
    {
        Spng.Palette entries = new() { Count = (uint)(palette.Length / 3) };
        for (int i = 0; i < palette.Length; i++) entries.Entries[i / 3 * 4 + i % 3] = palette[i];
        Check(Spng.SetPalette(context, &entries), "PNG palette");
    }

    private static string Kind(in Spng.Header header)
    {
        string colors = header.ColorType switch { 0 => "grey", 2 => "RGB", 3 => "a palette", 4 => "grey with transparency", _ => "RGBA" };
        return $"{colors} of {header.BitDepth} bits";
    }

    private static void Check(int status, string name)
    {
        if (status == 0) return;
        if (status == Spng.ErrorEndOfFile)
            throw new PictureException(name, "the picture is cut off: the file ends too early", PictureException.GetItAgain);
        throw new PictureException(name, $"the PNG picture is damaged or too large ({Spng.Describe(status)})", PictureException.GetItAgain);
    }
}
