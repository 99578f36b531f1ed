using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>
/// Temporary memory of a kernel: given back when disposed, which may be right after the launch, for the memory is used again
/// only by what is launched later.
/// </summary>
internal readonly unsafe ref struct CudaScratch
{
    private readonly CudaDevice _device;
    private readonly long _bytes;

    /// <summary>A block for kernels on the device's computing stream; not cleared.</summary>
    public CudaScratch(CudaStream stream, long bytes)
    {
        _device = stream.Device;
        _bytes = Math.Max(1, bytes);
        Address = (void*)_device.Memory.Allocate(_bytes);
    }

    /// <summary>The first byte, 256-byte aligned.</summary>
    public void* Address { get; }

    /// <summary>Gives the block back.</summary>
    public void Dispose() => _device.Memory.Release((nint)Address, _bytes);
}
