using System.Globalization;
using System.Runtime.InteropServices;

namespace Lavt.Data.Hdf5;

/// <summary>
/// The calls of libhdf5 (1.10 and later, whose identifiers have 64 bits) that reading and writing arrays need. The library is looked for
/// when the first file is opened; nothing else needs it.
/// </summary>
internal sealed unsafe class Hdf5Library
{
    // The serial build comes first: on machines with several, the parallel one needs MPI.
    private static readonly string[] s_names =
    [
        "libhdf5_serial.so.103", "libhdf5_serial.so.310", "libhdf5_serial.so", "libhdf5.so.310", "libhdf5.so.200", "libhdf5.so.103", "libhdf5.so",
    ];

    private static readonly Lazy<Hdf5Library> s_instance = new(() => Open(s_names));

    public readonly delegate* unmanaged<byte*, int> IsHdf5;
    public readonly delegate* unmanaged<byte*, uint, long, long> OpenFile;
    public readonly delegate* unmanaged<long, byte*, long, int> Exists;
    public readonly delegate* unmanaged<long, byte*, long, long> OpenDataset;
    public readonly delegate* unmanaged<long, long> GetSpace;
    public readonly delegate* unmanaged<long, int> GetRank;
    public readonly delegate* unmanaged<long, ulong*, ulong*, int> GetShape;
    public readonly delegate* unmanaged<long, long, long, long, long, void*, int> Read;
    public readonly delegate* unmanaged<byte*, uint, long, long, long> CreateFile;
    public readonly delegate* unmanaged<int, ulong*, ulong*, long> CreateSpace;
    public readonly delegate* unmanaged<long, byte*, long, long, long, long, long, long> CreateDataset;
    public readonly delegate* unmanaged<long, long, long, long, long, void*, int> Write;
    public readonly delegate* unmanaged<long, void*, void*, int> SetErrorPrinter;
    public readonly delegate* unmanaged<long, int> CloseFile;
    public readonly delegate* unmanaged<long, int> CloseDataset;
    public readonly delegate* unmanaged<long, int> CloseSpace;

    private Hdf5Library(nint library)
    {
        IsHdf5 = (delegate* unmanaged<byte*, int>)Symbol(library, "H5Fis_hdf5");
        OpenFile = (delegate* unmanaged<byte*, uint, long, long>)Symbol(library, "H5Fopen");
        Exists = (delegate* unmanaged<long, byte*, long, int>)Symbol(library, "H5Lexists");
        OpenDataset = (delegate* unmanaged<long, byte*, long, long>)Symbol(library, "H5Dopen2");
        GetSpace = (delegate* unmanaged<long, long>)Symbol(library, "H5Dget_space");
        GetRank = (delegate* unmanaged<long, int>)Symbol(library, "H5Sget_simple_extent_ndims");
        GetShape = (delegate* unmanaged<long, ulong*, ulong*, int>)Symbol(library, "H5Sget_simple_extent_dims");
        Read = (delegate* unmanaged<long, long, long, long, long, void*, int>)Symbol(library, "H5Dread");
        CreateFile = (delegate* unmanaged<byte*, uint, long, long, long>)Symbol(library, "H5Fcreate");
        CreateSpace = (delegate* unmanaged<int, ulong*, ulong*, long>)Symbol(library, "H5Screate_simple");
        CreateDataset = (delegate* unmanaged<long, byte*, long, long, long, long, long, long>)Symbol(library, "H5Dcreate2");
        Write = (delegate* unmanaged<long, long, long, long, long, void*, int>)Symbol(library, "H5Dwrite");
        SetErrorPrinter = (delegate* unmanaged<long, void*, void*, int>)Symbol(library, "H5Eset_auto2");
        CloseFile = (delegate* unmanaged<long, int>)Symbol(library, "H5Fclose");
        CloseDataset = (delegate* unmanaged<long, int>)Symbol(library, "H5Dclose");
        CloseSpace = (delegate* unmanaged<long, int>)Symbol(library, "H5Sclose");
        ((delegate* unmanaged<int>)Symbol(library, "H5open"))();
        uint major, minor, release;
        ((delegate* unmanaged<uint*, uint*, uint*, int>)Symbol(library, "H5get_libversion"))(&major, &minor, &release);
        Version = string.Create(CultureInfo.InvariantCulture, $"{major}.{minor}.{release}");
        // The native types have their numbers only after H5open.
        (NativeByte, NativeDouble) = (Value(library, "H5T_NATIVE_UINT8_g"), Value(library, "H5T_NATIVE_DOUBLE_g"));
        FileAccess = WithoutLocks(library);
    }

    /// <summary>The version of the library.</summary>
    public string Version { get; }

    /// <summary>Held around every call: the library may be built without locks of its own.</summary>
    public static Lock Gate { get; } = new();

    /// <summary>The library, opened at the first use.</summary>
    /// <exception cref="DllNotFoundException">It is not installed; the message says how to get it.</exception>
    public static Hdf5Library Instance => s_instance.Value;

    /// <summary>Whether the library can be opened.</summary>
    public static bool IsInstalled
    {
        get
        {
            try
            {
                return Instance is not null;
            }
            catch (DllNotFoundException)
            {
                return false;
            }
        }
    }

    /// <summary>The type of bytes in memory.</summary>
    public long NativeByte { get; }

    /// <summary>The type of doubles in memory.</summary>
    public long NativeDouble { get; }

    /// <summary>How files are opened; 0 for the library's way.</summary>
    public long FileAccess { get; }

    internal static Hdf5Library Open(IEnumerable<string> names)
    {
        foreach (string name in names)
        {
            if (NativeLibrary.TryLoad(name, out nint library)) return new Hdf5Library(library);
        }
        throw new DllNotFoundException(
            "the masks of A2D are HDF5 files and need the library libhdf5, which is not installed: on Debian and Ubuntu, apt-get install libhdf5-103-1 (libhdf5-310 on newer releases)");
    }

    private static nint Symbol(nint library, string name) => NativeLibrary.GetExport(library, name);

    private static long Value(nint library, string name) => *(long*)Symbol(library, name);

    /// <summary>File systems without locks, and read-only ones, would refuse files that are only read.</summary>
    private static long WithoutLocks(nint library)
    {
        if (!NativeLibrary.TryGetExport(library, "H5Pset_file_locking", out nint setLocking)) return 0;
        long access = ((delegate* unmanaged<long, long>)Symbol(library, "H5Pcreate"))(Value(library, "H5P_CLS_FILE_ACCESS_ID_g"));
        _ = ((delegate* unmanaged<long, byte, byte, int>)setLocking)(access, 0, 1);
        return access;
    }
}
