namespace Lavt.Kernels.Cuda.Driver;

/// <summary>
/// Work that is captured once and launched many times at the cost of one call: the same kernels with the same arguments on
/// the same addresses. Whatever changes between launches has to be written into memory that existed before the capture.
/// </summary>
public sealed class CudaGraph : IDisposable
{
    /// <summary>CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: other threads may go on with what a capture forbids.</summary>
    private const int ThreadLocal = 1;

    private readonly CudaDevice _device;
    private nint _executable;

    private CudaGraph(CudaDevice device, nint executable) => (_device, _executable) = (device, executable);

    /// <summary>Captures what <paramref name="work"/> launches on the device's computing stream; nothing runs yet.</summary>
    /// <param name="device">The device.</param>
    /// <param name="work">
    /// Launches kernels and copies on the device. Kernels must be loaded, so it must have run before; it must not wait for the
    /// device and must give back all memory that it takes.
    /// </param>
    /// <exception cref="CudaException">The work did what cannot be captured.</exception>
    public static CudaGraph Capture(CudaDevice device, Action work)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(work);
        nint graph = Record(device, work);
        try
        {
            CudaException.Check(DriverApi.GraphInstantiateWithFlags(out nint executable, graph, 0), $"cuGraphInstantiate on {device.Device}");
            return new CudaGraph(device, executable);
        }
        finally
        {
            CudaException.Check(DriverApi.GraphDestroy(graph), $"cuGraphDestroy on {device.Device}");
        }
    }

    /// <summary>Runs the captured work on the device's computing stream.</summary>
    public void Launch()
    {
        ObjectDisposedException.ThrowIf(_executable == 0, this);
        _device.MakeCurrent();
        DriverCalls.CountGraph();
        CudaException.Check(DriverApi.GraphLaunch(_executable, _device.Stream.Handle), $"cuGraphLaunch on {_device.Device}");
        if (CudaStream.WaitsAlways) _device.Stream.Synchronize();
    }

    /// <summary>Gives the graph and its memory back.</summary>
    public void Dispose()
    {
        nint executable = Interlocked.Exchange(ref _executable, 0);
        if (executable == 0) return;
        _device.MakeCurrent();
        CudaException.Check(DriverApi.GraphExecDestroy(executable), $"cuGraphExecDestroy on {_device.Device}");
    }

    private static nint Record(CudaDevice device, Action work)
    {
        device.MakeCurrent();
        // First the memory: nothing else that is given back meanwhile may become a part of the graph.
        device.Memory.BeginCapture();
        nint graph = 0;
        int kept, result = DriverApi.StreamBeginCapture(device.Stream.Handle, ThreadLocal);
        try
        {
            CudaException.Check(result, $"cuStreamBeginCapture on {device.Device}");
            work();
        }
        catch
        {
            // What went wrong says more than that the capture is lost.
            if (result == 0 && DriverApi.StreamEndCapture(device.Stream.Handle, out graph) == 0) _ = DriverApi.GraphDestroy(graph);
            device.Memory.EndCapture();
            throw;
        }
        result = DriverApi.StreamEndCapture(device.Stream.Handle, out graph);
        kept = device.Memory.EndCapture();
        CudaException.Check(result, $"cuStreamEndCapture on {device.Device}");
        if (kept == 0) return graph;
        _ = DriverApi.GraphDestroy(graph);
        throw new CudaException($"the captured work kept {kept} blocks of memory that it took; close the MemoryScope of its tensors inside, and copy results into tensors made before");
    }
}
