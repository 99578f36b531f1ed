using Lavt.Tensors;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>A queue of a device: what is launched on it runs in order, beside what other streams run.</summary>
public sealed class CudaStream : IDisposable
{
    /// <summary>CU_STREAM_NON_BLOCKING: does not wait for the default stream, which nothing here uses.</summary>
    private const uint NonBlocking = 1;

    private nint _handle;

    /// <summary>A new stream of a device.</summary>
    public CudaStream(CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        Device = device;
        device.MakeCurrent();
        CudaException.Check(DriverApi.StreamCreate(out _handle, NonBlocking), $"cuStreamCreate on {device.Device}");
    }

    /// <summary>The device that runs it.</summary>
    public CudaDevice Device { get; }

    /// <summary>LAVT_CUDA_SYNC=1: the host waits for everything that it launches, so that an error names what failed.</summary>
    internal static bool WaitsAlways { get; } = Environment.GetEnvironmentVariable("LAVT_CUDA_SYNC") == "1";

    /// <summary>The driver's CUstream.</summary>
    internal nint Handle => _handle != 0 ? _handle : throw new ObjectDisposedException(nameof(CudaStream));

    /// <summary>The stream on which operations on a device's tensors compute.</summary>
    public static CudaStream Of(Device device) => CudaDevice.Of(device).Stream;

    /// <summary>Waits on the host until everything launched so far is done.</summary>
    /// <exception cref="CudaException">Something failed on the device meanwhile.</exception>
    public void Synchronize()
    {
        if (this == Device.Stream) Device.Memory.RequireNotCapturing("the host waits for the device");
        Device.MakeCurrent();
        DriverCalls.CountWait();
        CudaException.Check(DriverApi.StreamSynchronize(Handle), $"cuStreamSynchronize on {Device.Device} (a kernel before it may have failed; LAVT_CUDA_SYNC=1 names it)");
    }

    /// <summary>Makes everything launched from now on wait for an event, without stopping the host.</summary>
    public void Wait(CudaEvent awaited)
    {
        ArgumentNullException.ThrowIfNull(awaited);
        Device.MakeCurrent();
        CudaException.Check(DriverApi.StreamWaitEvent(Handle, awaited.Handle, 0), $"cuStreamWaitEvent on {Device.Device}");
    }

    /// <summary>Gives the stream back; work on it still ends.</summary>
    public void Dispose()
    {
        nint handle = Interlocked.Exchange(ref _handle, 0);
        if (handle == 0) return;
        Device.MakeCurrent();
        CudaException.Check(DriverApi.StreamDestroy(handle), $"cuStreamDestroy on {Device.Device}");
    }
}
