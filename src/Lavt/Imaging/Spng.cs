using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Lavt.Imaging;

/// <summary>The calls of libspng 0.7, a PNG library that checks what it reads.</summary>
internal static unsafe partial class Spng
{
    public const int EncoderContext = 2;
    public const int FormatRgb8 = 4;
    public const int FormatPng = 256;
    public const int Finalize = 2;
    public const int OptionCompressionLevel = 2;
    public const int OptionEncodeToBuffer = 12;
    public const int ErrorEndOfFile = -1;
    public const byte ColorGrey = 0;
    public const byte ColorRgb = 2;
    public const byte ColorIndexed = 3;
    private const string Library = "libspng.so.0";

    /// <summary>Turns the loader's error into one that names what to install.</summary>
    public static DllNotFoundException Missing(DllNotFoundException failure) =>
        new($"PNG pictures need the library {Library}, which is not installed: on Debian and Ubuntu, apt-get install libspng0", failure);

    public static string Describe(int status) => Marshal.PtrToStringUTF8(ErrorText(status)) ?? $"error {status}";

    [LibraryImport(Library, EntryPoint = "spng_ctx_new")]
    public static partial nint NewContext(int flags);

    [LibraryImport(Library, EntryPoint = "spng_ctx_free")]
    public static partial void FreeContext(nint context);

    [LibraryImport(Library, EntryPoint = "spng_set_option")]
    public static partial int SetOption(nint context, int option, int value);

    [LibraryImport(Library, EntryPoint = "spng_set_image_limits")]
    public static partial int SetImageLimits(nint context, uint width, uint height);

    [LibraryImport(Library, EntryPoint = "spng_set_chunk_limits")]
    public static partial int SetChunkLimits(nint context, nuint chunkBytes, nuint cacheBytes);

    [LibraryImport(Library, EntryPoint = "spng_set_png_buffer")]
    public static partial int SetInput(nint context, byte* data, nuint size);

    [LibraryImport(Library, EntryPoint = "spng_get_ihdr")]
    public static partial int GetHeader(nint context, Header* header);

    [LibraryImport(Library, EntryPoint = "spng_set_ihdr")]
    public static partial int SetHeader(nint context, Header* header);

    [LibraryImport(Library, EntryPoint = "spng_set_plte")]
    public static partial int SetPalette(nint context, Palette* palette);

    [LibraryImport(Library, EntryPoint = "spng_decoded_image_size")]
    public static partial int DecodedSize(nint context, int format, nuint* size);

    [LibraryImport(Library, EntryPoint = "spng_decode_image")]
    public static partial int DecodeImage(nint context, byte* pixels, nuint size, int format, int flags);

    [LibraryImport(Library, EntryPoint = "spng_decode_chunks")]
    public static partial int DecodeRest(nint context);

    [LibraryImport(Library, EntryPoint = "spng_encode_image")]
    public static partial int EncodeImage(nint context, byte* pixels, nuint size, int format, int flags);

    /// <summary>Gives the encoded file, which the caller frees.</summary>
    [LibraryImport(Library, EntryPoint = "spng_get_png_buffer")]
    public static partial byte* GetOutput(nint context, nuint* size, int* status);

    [LibraryImport(Library, EntryPoint = "spng_strerror")]
    private static partial nint ErrorText(int status);

    /// <summary>`struct spng_ihdr`.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Header
    {
        public uint Width;
        public uint Height;
        public byte BitDepth;
        public byte ColorType;
        public byte Compression;
        public byte Filter;
        public byte Interlace;
    }

    /// <summary>`struct spng_plte`: entries of red, green, blue and a byte that only the library uses.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Palette
    {
        public uint Count;
        public PaletteEntries Entries;
    }

    /// <summary>The 256 entries of a palette, four bytes each.</summary>
    [InlineArray(256 * 4)]
    public struct PaletteEntries
    {
        private byte _first;
    }
}
