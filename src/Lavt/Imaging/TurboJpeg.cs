using System.Runtime.InteropServices;

namespace Lavt.Imaging;

/// <summary>
/// The calls of libjpeg-turbo's TurboJPEG API, version 2, which versions 2 and 3 of the library both export. `unsigned
/// long` is pointer-sized on every system that names the library this way.
/// </summary>
internal static unsafe partial class TurboJpeg
{
    public const int PixelRgb = 0;
    public const int PixelCmyk = 11;
    public const int ColorCmyk = 3;
    public const int ColorYcck = 4;
    public const int LimitScans = 32768;
    private const string Library = "libturbojpeg.so.0";

    /// <summary>Turns the loader's error into one that names what to install.</summary>
    public static DllNotFoundException Missing(DllNotFoundException failure) =>
        new($"JPEG pictures need the library {Library} of libjpeg-turbo, which is not installed: "
            + "on Debian and Ubuntu, apt-get install libturbojpeg0", failure);

    public static string LastError(nint handle) => Marshal.PtrToStringUTF8(ErrorText(handle)) ?? "unknown error";

    [LibraryImport(Library, EntryPoint = "tjInitDecompress")]
    public static partial nint InitDecompress();

    [LibraryImport(Library, EntryPoint = "tjInitCompress")]
    public static partial nint InitCompress();

    [LibraryImport(Library, EntryPoint = "tjDecompressHeader3")]
    public static partial int Header(nint handle, byte* data, nuint size, int* width, int* height, int* subsampling, int* color);

    [LibraryImport(Library, EntryPoint = "tjDecompress2")]
    public static partial int Decompress(nint handle, byte* data, nuint size, byte* pixels, int width, int pitch, int height, int format, int flags);

    [LibraryImport(Library, EntryPoint = "tjCompress2")]
    public static partial int Compress(
        nint handle, byte* pixels, int width, int pitch, int height, int format, byte** data, nuint* size, int subsampling, int quality, int flags);

    [LibraryImport(Library, EntryPoint = "tjDestroy")]
    public static partial int Destroy(nint handle);

    [LibraryImport(Library, EntryPoint = "tjFree")]
    public static partial void Free(byte* data);

    [LibraryImport(Library, EntryPoint = "tjGetErrorStr2")]
    private static partial nint ErrorText(nint handle);
}
