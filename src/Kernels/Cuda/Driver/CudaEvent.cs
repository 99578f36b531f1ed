namespace Lavt.Kernels.Cuda.Driver;

/// <summary>A mark in a stream: others can wait for it, and two give the time between them.</summary>
public sealed class CudaEvent : IDisposable
{
    private readonly CudaDevice _device;
    private nint _handle;

    /// <summary>A new event of a device.</summary>
    public CudaEvent(CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        _device = device;
        device.MakeCurrent();
        CudaException.Check(DriverApi.EventCreate(out _handle, 0), $"cuEventCreate on {device.Device}");
    }

    /// <summary>The driver's CUevent.</summary>
    internal nint Handle => _handle != 0 ? _handle : throw new ObjectDisposedException(nameof(CudaEvent));

    /// <summary>Puts the mark behind everything launched on a stream so far.</summary>
    public void Record(CudaStream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        stream.Device.MakeCurrent();
        CudaException.Check(DriverApi.EventRecord(Handle, stream.Handle), $"cuEventRecord on {stream.Device.Device}");
    }

    /// <summary>Waits on the host until the stream has come to the mark, if it has not yet.</summary>
    public void Synchronize()
    {
        _device.MakeCurrent();
        int result = DriverApi.EventQuery(Handle);
        if (result == CudaException.NotReady)
        {
            DriverCalls.CountWait();
            result = DriverApi.EventSynchronize(Handle);
        }
        CudaException.Check(result, $"cuEventSynchronize on {_device.Device}");
    }

    /// <summary>The seconds from an earlier mark to this one; both were reached.</summary>
    public double SecondsSince(CudaEvent start)
    {
        ArgumentNullException.ThrowIfNull(start);
        CudaException.Check(DriverApi.EventElapsedTime(out float milliseconds, start.Handle, Handle), $"cuEventElapsedTime on {_device.Device}");
        return milliseconds * 1e-3;
    }

    /// <summary>Gives the event back.</summary>
    public void Dispose()
    {
        nint handle = Interlocked.Exchange(ref _handle, 0);
        if (handle == 0) return;
        _device.MakeCurrent();
        CudaException.Check(DriverApi.EventDestroy(handle), $"cuEventDestroy on {_device.Device}");
    }
}
