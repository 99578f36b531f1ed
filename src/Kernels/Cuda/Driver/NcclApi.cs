using System.Runtime.InteropServices;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>The entry points of NCCL (version 2) that are used here.</summary>
internal static unsafe partial class NcclApi
{
    /// <summary>ncclDataType_t.</summary>
    public const int Uint8 = 1, Float32 = 7, Float64 = 8;

    /// <summary>ncclSum.</summary>
    public const int Sum = 0;

    /// <summary>NCCL_UNIQUE_ID_BYTES.</summary>
    public const int IdBytes = 128;

    private const string Library = CudaLibraries.Collectives;

    static NcclApi() => CudaLibraries.Register();

    [LibraryImport(Library, EntryPoint = "ncclGetUniqueId")]
    public static partial int GetUniqueId(UniqueId* id);

    [LibraryImport(Library, EntryPoint = "ncclCommInitRank")]
    public static partial int CommInitRank(out nint group, int ranks, UniqueId id, int rank);

    [LibraryImport(Library, EntryPoint = "ncclAllReduce")]
    public static partial int AllReduce(nint from, nint to, nuint count, int type, int operation, nint group, nint stream);

    [LibraryImport(Library, EntryPoint = "ncclBroadcast")]
    public static partial int Broadcast(nint from, nint to, nuint count, int type, int root, nint group, nint stream);

    [LibraryImport(Library, EntryPoint = "ncclCommGetAsyncError")]
    public static partial int CommGetAsyncError(nint group, out int result);

    [LibraryImport(Library, EntryPoint = "ncclCommDestroy")]
    public static partial int CommDestroy(nint group);

    [LibraryImport(Library, EntryPoint = "ncclGetErrorString")]
    public static partial byte* GetErrorString(int result);

    [LibraryImport(Library, EntryPoint = "ncclGetLastError")]
    public static partial byte* GetLastError(nint group);

    /// <summary>ncclUniqueId, which is passed by value.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct UniqueId
    {
        public fixed byte Bytes[IdBytes];
    }
}
