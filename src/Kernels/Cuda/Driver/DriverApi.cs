using System.Runtime.InteropServices;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>
/// The entry points of the CUDA driver (libcuda). The names are the exported ones, which the macros of cuda.h hide: a plain
/// name without the suffix _v2 is an older function with 32-bit sizes wherever both exist. All of them are in every driver
/// from CUDA 12.0 on; none changed its meaning in CUDA 13.
/// </summary>
internal static unsafe partial class DriverApi
{
    private const string Library = CudaLibraries.Driver;

    static DriverApi() => CudaLibraries.Register();

    [LibraryImport(Library, EntryPoint = "cuInit")]
    public static partial int Init(uint flags);

    [LibraryImport(Library, EntryPoint = "cuDriverGetVersion")]
    public static partial int DriverGetVersion(out int version);

    [LibraryImport(Library, EntryPoint = "cuGetErrorName")]
    public static partial int GetErrorName(int error, out byte* text);

    [LibraryImport(Library, EntryPoint = "cuGetErrorString")]
    public static partial int GetErrorString(int error, out byte* text);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetCount")]
    public static partial int DeviceGetCount(out int count);

    [LibraryImport(Library, EntryPoint = "cuDeviceGet")]
    public static partial int DeviceGet(out int device, int ordinal);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetName")]
    public static partial int DeviceGetName(byte* name, int bytes, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetAttribute")]
    public static partial int DeviceGetAttribute(out int value, int attribute, int device);

    [LibraryImport(Library, EntryPoint = "cuDeviceTotalMem_v2")]
    public static partial int DeviceTotalMem(out nuint bytes, int device);

    [LibraryImport(Library, EntryPoint = "cuDevicePrimaryCtxRetain")]
    public static partial int DevicePrimaryCtxRetain(out nint context, int device);

    [LibraryImport(Library, EntryPoint = "cuCtxSetCurrent")]
    public static partial int CtxSetCurrent(nint context);

    [LibraryImport(Library, EntryPoint = "cuCtxSynchronize")]
    public static partial int CtxSynchronize();

    [LibraryImport(Library, EntryPoint = "cuDeviceCanAccessPeer")]
    public static partial int DeviceCanAccessPeer(out int can, int device, int peer);

    [LibraryImport(Library, EntryPoint = "cuCtxEnablePeerAccess")]
    public static partial int CtxEnablePeerAccess(nint peerContext, uint flags);

    [LibraryImport(Library, EntryPoint = "cuMemGetInfo_v2")]
    public static partial int MemGetInfo(out nuint free, out nuint total);

    [LibraryImport(Library, EntryPoint = "cuMemAllocAsync")]
    public static partial int MemAllocAsync(out nint address, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemFreeAsync")]
    public static partial int MemFreeAsync(nint address, nint stream);

    [LibraryImport(Library, EntryPoint = "cuDeviceGetDefaultMemPool")]
    public static partial int DeviceGetDefaultMemPool(out nint pool, int device);

    [LibraryImport(Library, EntryPoint = "cuMemPoolSetAttribute")]
    public static partial int MemPoolSetAttribute(nint pool, int attribute, void* value);

    [LibraryImport(Library, EntryPoint = "cuMemPoolTrimTo")]
    public static partial int MemPoolTrimTo(nint pool, nuint bytesToKeep);

    [LibraryImport(Library, EntryPoint = "cuMemPoolSetAccess")]
    public static partial int MemPoolSetAccess(nint pool, MemoryAccess* access, nuint count);

    [LibraryImport(Library, EntryPoint = "cuMemHostAlloc")]
    public static partial int MemHostAlloc(out nint address, nuint bytes, uint flags);

    [LibraryImport(Library, EntryPoint = "cuMemFreeHost")]
    public static partial int MemFreeHost(nint address);

    [LibraryImport(Library, EntryPoint = "cuMemcpyHtoDAsync_v2")]
    public static partial int MemcpyHtoDAsync(nint to, nint from, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoHAsync_v2")]
    public static partial int MemcpyDtoHAsync(nint to, nint from, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyDtoDAsync_v2")]
    public static partial int MemcpyDtoDAsync(nint to, nint from, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemcpyPeerAsync")]
    public static partial int MemcpyPeerAsync(nint to, nint toContext, nint from, nint fromContext, nuint bytes, nint stream);

    [LibraryImport(Library, EntryPoint = "cuMemsetD8Async")]
    public static partial int MemsetD8Async(nint to, byte value, nuint count, nint stream);

    [LibraryImport(Library, EntryPoint = "cuModuleLoadData")]
    public static partial int ModuleLoadData(out nint module, void* image);

    [LibraryImport(Library, EntryPoint = "cuModuleGetFunction")]
    public static partial int ModuleGetFunction(out nint function, nint module, byte* name);

    [LibraryImport(Library, EntryPoint = "cuFuncSetAttribute")]
    public static partial int FuncSetAttribute(nint function, int attribute, int value);

    [LibraryImport(Library, EntryPoint = "cuFuncGetAttribute")]
    public static partial int FuncGetAttribute(out int value, int attribute, nint function);

    [LibraryImport(Library, EntryPoint = "cuFuncGetParamInfo")]
    public static partial int FuncGetParamInfo(nint function, nuint index, out nuint offset, out nuint size);

    [LibraryImport(Library, EntryPoint = "cuLaunchKernel")]
    public static partial int LaunchKernel(nint function, uint gridX, uint gridY, uint gridZ, uint blockX, uint blockY, uint blockZ, uint sharedBytes, nint stream, void** arguments, void** extra);

    [LibraryImport(Library, EntryPoint = "cuStreamCreate")]
    public static partial int StreamCreate(out nint stream, uint flags);

    [LibraryImport(Library, EntryPoint = "cuStreamDestroy_v2")]
    public static partial int StreamDestroy(nint stream);

    [LibraryImport(Library, EntryPoint = "cuStreamSynchronize")]
    public static partial int StreamSynchronize(nint stream);

    [LibraryImport(Library, EntryPoint = "cuStreamWaitEvent")]
    public static partial int StreamWaitEvent(nint stream, nint awaited, uint flags);

    [LibraryImport(Library, EntryPoint = "cuEventCreate")]
    public static partial int EventCreate(out nint created, uint flags);

    [LibraryImport(Library, EntryPoint = "cuEventDestroy_v2")]
    public static partial int EventDestroy(nint destroyed);

    [LibraryImport(Library, EntryPoint = "cuEventRecord")]
    public static partial int EventRecord(nint recorded, nint stream);

    [LibraryImport(Library, EntryPoint = "cuEventSynchronize")]
    public static partial int EventSynchronize(nint awaited);

    [LibraryImport(Library, EntryPoint = "cuEventQuery")]
    public static partial int EventQuery(nint asked);

    [LibraryImport(Library, EntryPoint = "cuEventElapsedTime")]
    public static partial int EventElapsedTime(out float milliseconds, nint start, nint end);

    [LibraryImport(Library, EntryPoint = "cuStreamBeginCapture_v2")]
    public static partial int StreamBeginCapture(nint stream, int mode);

    [LibraryImport(Library, EntryPoint = "cuStreamEndCapture")]
    public static partial int StreamEndCapture(nint stream, out nint graph);

    [LibraryImport(Library, EntryPoint = "cuGraphInstantiateWithFlags")]
    public static partial int GraphInstantiateWithFlags(out nint executable, nint graph, ulong flags);

    [LibraryImport(Library, EntryPoint = "cuGraphLaunch")]
    public static partial int GraphLaunch(nint executable, nint stream);

    [LibraryImport(Library, EntryPoint = "cuGraphExecDestroy")]
    public static partial int GraphExecDestroy(nint executable);

    [LibraryImport(Library, EntryPoint = "cuGraphDestroy")]
    public static partial int GraphDestroy(nint graph);

    [LibraryImport(Library, EntryPoint = "cuTensorMapEncodeTiled")]
    public static partial int TensorMapEncodeTiled(
        void* map, int type, uint rank, nint address, ulong* extents, ulong* byteStrides, uint* box, uint* elementStrides, int interleave, int swizzle, int promotion, int fill);

    /// <summary>CUmemAccessDesc: which device may do what with a pool's memory.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct MemoryAccess
    {
        /// <summary>CU_MEM_LOCATION_TYPE_DEVICE.</summary>
        public const int Device = 1;

        /// <summary>CU_MEM_ACCESS_FLAGS_PROT_READWRITE.</summary>
        public const int ReadWrite = 3;

        public int LocationType, Location, Flags;
    }
}
