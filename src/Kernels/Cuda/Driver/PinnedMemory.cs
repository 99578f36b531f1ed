namespace Lavt.Kernels.Cuda.Driver;

/// <summary>Host memory that the system does not move: copies between it and a device run beside the host and the device's computing.</summary>
public sealed unsafe class PinnedMemory : IDisposable
{
    /// <summary>CU_MEMHOSTALLOC_PORTABLE: pinned for every device.</summary>
    private const uint Portable = 1;

    private readonly CudaDevice _device;
    private nint _address;

    /// <summary>A block of at least one byte.</summary>
    public PinnedMemory(CudaDevice device, long bytes)
    {
        ArgumentNullException.ThrowIfNull(device);
        _device = device;
        Bytes = bytes;
        device.MakeCurrent();
        DriverCalls.CountAllocation();
        CudaException.Check(DriverApi.MemHostAlloc(out _address, (nuint)Math.Max(1, bytes), Portable), $"cuMemHostAlloc of {bytes} bytes");
    }

    /// <summary>The size.</summary>
    public long Bytes { get; }

    /// <summary>The first byte.</summary>
    public nint Address => _address != 0 ? _address : throw new ObjectDisposedException(nameof(PinnedMemory));

    /// <summary>Starts a copy of the first <paramref name="bytes"/> bytes to a device; it has ended when <paramref name="stream"/> has passed it.</summary>
    public void CopyTo(nint device, long bytes, CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, Bytes);
        if (bytes == 0) return;
        stream.Device.MakeCurrent();
        CudaException.Check(DriverApi.MemcpyHtoDAsync(device, Address, (nuint)bytes, stream.Handle), $"cuMemcpyHtoDAsync of {bytes} pinned bytes to {stream.Device.Device}");
    }

    /// <summary>Starts a copy of <paramref name="bytes"/> bytes from a device; it has ended when <paramref name="stream"/> has passed it.</summary>
    public void CopyFrom(nint device, long bytes, CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, Bytes);
        if (bytes == 0) return;
        stream.Device.MakeCurrent();
        CudaException.Check(DriverApi.MemcpyDtoHAsync(Address, device, (nuint)bytes, stream.Handle), $"cuMemcpyDtoHAsync of {bytes} pinned bytes from {stream.Device.Device}");
    }

    /// <summary>Gives the memory back; copies from or to it must have ended.</summary>
    public void Dispose()
    {
        nint address = Interlocked.Exchange(ref _address, 0);
        if (address == 0) return;
        _device.MakeCurrent();
        CudaException.Check(DriverApi.MemFreeHost(address), "cuMemFreeHost");
    }
}
