using System.Runtime.InteropServices;

namespace Lavt.Nn.Parallel;

/// <summary>The functions and handles of Open MPI's C library (version 4 or 5) that are used here.</summary>
internal sealed unsafe partial class MpiLibrary
{
    private const int Now = 2;
    private const int Global = 0x100;
    private const int LongestMessage = 512;

    private static readonly string[] s_names = ["libmpi.so.40", "libmpi.so"];

    private readonly nint _library;
    private readonly delegate* unmanaged<int, byte*, int*, int> _errorString;

    private MpiLibrary(nint library)
    {
        _library = library;
        // Handles of Open MPI are the addresses of its exported objects.
        World = Export("ompi_mpi_comm_world");
        Float = Export("ompi_mpi_float");
        Double = Export("ompi_mpi_double");
        Byte = Export("ompi_mpi_byte");
        Int = Export("ompi_mpi_int");
        Add = Export("ompi_mpi_op_sum");
        ErrorsReturn = Export("ompi_mpi_errors_return");
        InitThread = (delegate* unmanaged<int*, byte***, int, int*, int>)Export("MPI_Init_thread");
        CommRank = (delegate* unmanaged<nint, int*, int>)Export("MPI_Comm_rank");
        CommSize = (delegate* unmanaged<nint, int*, int>)Export("MPI_Comm_size");
        SetErrorHandler = (delegate* unmanaged<nint, nint, int>)Export("MPI_Comm_set_errhandler");
        AllReduce = (delegate* unmanaged<void*, void*, int, nint, nint, nint, int>)Export("MPI_Allreduce");
        Broadcast = (delegate* unmanaged<void*, int, nint, int, nint, int>)Export("MPI_Bcast");
        AllGather = (delegate* unmanaged<void*, int, nint, void*, int, nint, nint, int>)Export("MPI_Allgather");
        AllGatherV = (delegate* unmanaged<void*, int, nint, void*, int*, int*, nint, nint, int>)Export("MPI_Allgatherv");
        Barrier = (delegate* unmanaged<nint, int>)Export("MPI_Barrier");
        Finish = (delegate* unmanaged<int>)Export("MPI_Finalize");
        _errorString = (delegate* unmanaged<int, byte*, int*, int>)Export("MPI_Error_string");
    }

    /// <summary>MPI_IN_PLACE.</summary>
    public static void* InPlace => (void*)1;

    public nint World { get; }

    public nint Float { get; }

    public nint Double { get; }

    public nint Byte { get; }

    public nint Int { get; }

    public nint Add { get; }

    public nint ErrorsReturn { get; }

    public delegate* unmanaged<int*, byte***, int, int*, int> InitThread { get; }

    public delegate* unmanaged<nint, int*, int> CommRank { get; }

    public delegate* unmanaged<nint, int*, int> CommSize { get; }

    public delegate* unmanaged<nint, nint, int> SetErrorHandler { get; }

    public delegate* unmanaged<void*, void*, int, nint, nint, nint, int> AllReduce { get; }

    public delegate* unmanaged<void*, int, nint, int, nint, int> Broadcast { get; }

    public delegate* unmanaged<void*, int, nint, void*, int, nint, nint, int> AllGather { get; }

    public delegate* unmanaged<void*, int, nint, void*, int*, int*, nint, nint, int> AllGatherV { get; }

    public delegate* unmanaged<nint, int> Barrier { get; }

    public delegate* unmanaged<int> Finish { get; }

    /// <summary>Opens the library.</summary>
    /// <exception cref="DllNotFoundException">It is not installed, or is no Open MPI.</exception>
    public static MpiLibrary Open()
    {
        foreach (string name in s_names)
        {
            // Open MPI opens parts of itself that look for its symbols among the global ones; .NET's loader keeps them private.
            nint library = OpenLibrary(name, Now | Global);
            if (library != 0) return new MpiLibrary(library);
        }
        throw new DllNotFoundException($"this process was started by MPI, but Open MPI's library is missing (looked for {string.Join(", ", s_names)}); install it on every host, on Debian: apt-get install libopenmpi3 openmpi-bin");
    }

    /// <summary>Throws if a function returned an error.</summary>
    /// <exception cref="CommunicationException"><paramref name="code"/> is an error.</exception>
    public void Check(int code, string function)
    {
        if (code == 0) return;
        byte* text = stackalloc byte[LongestMessage];
        int length = 0;
        _errorString(code, text, &length);
        throw new CommunicationException($"{function} failed: {Marshal.PtrToStringUTF8((nint)text, length)}");
    }

    [LibraryImport("libc", EntryPoint = "dlopen", StringMarshalling = StringMarshalling.Utf8)]
    private static partial nint OpenLibrary(string name, int flags);

    private nint Export(string name) => NativeLibrary.TryGetExport(_library, name, out nint address)
        ? address
        : throw new DllNotFoundException($"the MPI library has no {name}: it is not Open MPI 4 or later, which is the one that is supported");
}
