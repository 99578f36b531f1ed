using Lavt.Tensors;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>
/// The memory of a GPU, in the order of its computing stream: a block that is given back is used again by what is launched
/// afterwards, without waiting. The driver's own pool keeps what was freed, so that steady state asks the system for nothing.
/// </summary>
/// <remarks>Thread-safe, except that just one thread works with a device while it captures a graph.</remarks>
public sealed unsafe class CudaMemory : IDeviceMemory
{
    /// <summary>CU_MEMPOOL_ATTR_RELEASE_THRESHOLD: the bytes that the pool keeps for itself.</summary>
    private const int ReleaseThreshold = 4;

    private readonly CudaDevice _device;
    private readonly nint _pool;
    private readonly Lock _gate = new();
    private long _inUse;
    private long _peak;

    /// <summary>While a graph is captured: the blocks that the graph itself allocates, and those whose return waits for its end.</summary>
    private volatile HashSet<nint>? _captured;
    private readonly List<(nint Block, long Bytes)> _postponed = [];

    /// <summary>Blocks that went with a capture that failed, though a tensor still holds them.</summary>
    private readonly HashSet<nint> _lost = [];

    internal CudaMemory(CudaDevice device, int handle)
    {
        _device = device;
        CudaException.Check(DriverApi.DeviceGetDefaultMemPool(out _pool, handle), $"cuDeviceGetDefaultMemPool of {device.Device}");
        ulong all = ulong.MaxValue;
        CudaException.Check(DriverApi.MemPoolSetAttribute(_pool, ReleaseThreshold, &all), $"cuMemPoolSetAttribute of {device.Device}");
    }

    /// <summary>Bytes now in use.</summary>
    public long BytesInUse => Interlocked.Read(ref _inUse);

    /// <summary>The largest number of bytes in use at once since the last <see cref="ResetPeak"/>.</summary>
    public long PeakBytes => Interlocked.Read(ref _peak);

    /// <summary>Whether a graph is captured on the device's computing stream.</summary>
    internal bool IsCapturing => _captured is not null;

    private nint Stream => _device.Stream.Handle;

    /// <summary>Starts a new measurement of <see cref="PeakBytes"/>.</summary>
    public void ResetPeak()
    {
        lock (_gate) _peak = _inUse;
    }

    /// <inheritdoc/>
    public nint Allocate(long bytes)
    {
        _device.MakeCurrent();
        DriverCalls.CountAllocation();
        int result = DriverApi.MemAllocAsync(out nint block, (nuint)bytes, Stream);
        if (result == CudaException.OutOfMemory) throw OutOfMemory(bytes);
        CudaException.Check(result, $"cuMemAllocAsync of {bytes} bytes on {_device.Device}");
        lock (_gate)
        {
            _inUse += bytes;
            _peak = Math.Max(_peak, _inUse);
            _captured?.Add(block);
        }
        return block;
    }

    /// <inheritdoc/>
    public void Release(nint block, long bytes)
    {
        // Also from the collector's thread; under the lock, so that a capture does not begin before the driver knows.
        lock (_gate)
        {
            if (_captured is { } captured && !captured.Remove(block))
            {
                _postponed.Add((block, bytes));
                return;
            }
            _inUse -= bytes;
            if (_lost.Remove(block)) return;
            _device.MakeCurrent();
            CudaException.Check(DriverApi.MemFreeAsync(block, Stream), $"cuMemFreeAsync of {bytes} bytes on {_device.Device}");
        }
    }

    /// <inheritdoc/>
    public void CopyFromHost(nint to, nint from, long bytes)
    {
        if (bytes == 0) return;
        RequireNotCapturing("values of the host are copied to the device");
        _device.MakeCurrent();
        CudaException.Check(DriverApi.MemcpyHtoDAsync(to, from, (nuint)bytes, Stream), $"cuMemcpyHtoDAsync of {bytes} bytes to {_device.Device}");
        // The host may change or free its memory as soon as this returns.
        _device.Stream.Synchronize();
    }

    /// <inheritdoc/>
    public void CopyToHost(nint to, nint from, long bytes)
    {
        if (bytes == 0) return;
        RequireNotCapturing("the host reads values of the device");
        _device.MakeCurrent();
        CudaException.Check(DriverApi.MemcpyDtoHAsync(to, from, (nuint)bytes, Stream), $"cuMemcpyDtoHAsync of {bytes} bytes from {_device.Device}");
        _device.Stream.Synchronize();
    }

    /// <inheritdoc/>
    public void CopyWithin(nint to, nint from, long bytes)
    {
        if (bytes == 0) return;
        _device.MakeCurrent();
        CudaException.Check(DriverApi.MemcpyDtoDAsync(to, from, (nuint)bytes, Stream), $"cuMemcpyDtoDAsync of {bytes} bytes on {_device.Device}");
    }

    /// <inheritdoc/>
    public void CopyFromPeer(nint to, nint from, Device source, long bytes)
    {
        if (bytes == 0) return;
        CudaDevice peer = CudaDevice.Of(source);
        if (!_device.Reaches(peer))
        {
            using PinnedMemory host = new(peer, bytes);
            host.CopyFrom(from, bytes, peer.Stream);
            peer.Stream.Synchronize();
            host.CopyTo(to, bytes, _device.Stream);
            _device.Stream.Synchronize();
            return;
        }
        using CudaEvent ready = new(peer);
        ready.Record(peer.Stream);
        _device.Stream.Wait(ready);
        PeerCopy.Enqueue(_device.Stream, to, _device, from, peer, bytes);
        // The source may be given back, in the order of its own stream, as soon as this returns.
        using CudaEvent copied = new(_device);
        copied.Record(_device.Stream);
        peer.Stream.Wait(copied);
        _device.MakeCurrent();
    }

    /// <inheritdoc/>
    public void Clear(nint block, long bytes)
    {
        if (bytes == 0) return;
        _device.MakeCurrent();
        CudaException.Check(DriverApi.MemsetD8Async(block, 0, (nuint)bytes, Stream), $"cuMemsetD8Async of {bytes} bytes on {_device.Device}");
    }

    /// <summary>Returns memory that nothing uses to the driver, for other programs.</summary>
    public void Trim()
    {
        _device.Synchronize();
        CudaException.Check(DriverApi.MemPoolTrimTo(_pool, 0), $"cuMemPoolTrimTo of {_device.Device}");
    }

    /// <summary>Lets another device read and write what this pool gives out, which access between contexts alone does not.</summary>
    internal void AllowAccessFrom(int device)
    {
        DriverApi.MemoryAccess access = new() { LocationType = DriverApi.MemoryAccess.Device, Location = device, Flags = DriverApi.MemoryAccess.ReadWrite };
        CudaException.Check(DriverApi.MemPoolSetAccess(_pool, &access, 1), $"cuMemPoolSetAccess of {_device.Device}");
    }

    /// <summary>Stops what a graph could not repeat, before the driver ends the capture for it.</summary>
    internal void RequireNotCapturing(string what)
    {
        if (IsCapturing)
            throw new CudaException($"while work on {_device.Device} is captured as a graph, {what}; only kernels and copies on the device can be captured: read and write values outside, and run the work once before it is captured");
    }

    /// <summary>
    /// Blocks allocated from now on belong to the graph that is captured: their addresses are the same at every launch. The
    /// return of other blocks is no part of the graph and waits for <see cref="EndCapture"/>.
    /// </summary>
    internal void BeginCapture()
    {
        lock (_gate) _captured = [];
    }

    /// <summary>Ends what <see cref="BeginCapture"/> began.</summary>
    /// <returns>How many blocks the graph allocates without giving them back.</returns>
    internal int EndCapture()
    {
        int kept;
        (nint Block, long Bytes)[] postponed;
        lock (_gate)
        {
            kept = _captured!.Count;
            _lost.UnionWith(_captured);
            _captured = null;
            postponed = [.. _postponed];
            _postponed.Clear();
        }
        foreach ((nint block, long bytes) in postponed) Release(block, bytes);
        return kept;
    }

    private CudaException OutOfMemory(long bytes)
    {
        const double Mebibyte = 1 << 20;
        string free = DriverApi.MemGetInfo(out nuint left, out _) == 0 ? $"{left / Mebibyte:F0}" : "?";
        return new CudaException(string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $"{_device} is out of memory: {bytes / Mebibyte:F0} MiB more were asked for, {_inUse / Mebibyte:F0} of {_device.TotalMemory / Mebibyte:F0} MiB are in use here, {free} MiB are free; use a smaller batch or picture"), CudaException.OutOfMemory);
    }
}
