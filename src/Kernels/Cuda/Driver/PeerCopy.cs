namespace Lavt.Kernels.Cuda.Driver;

/// <summary>Copies between GPUs that reach each other's memory.</summary>
internal static class PeerCopy
{
    /// <summary>Puts a copy into a stream of either device; see <see cref="CudaDevice.Reaches"/>.</summary>
    /// <exception cref="CudaException">The copy is refused.</exception>
    public static void Enqueue(CudaStream stream, nint to, CudaDevice toDevice, nint from, CudaDevice fromDevice, long bytes)
    {
        stream.Device.MakeCurrent();
        CudaException.Check(
            DriverApi.MemcpyPeerAsync(to, toDevice.Context, from, fromDevice.Context, (nuint)bytes, stream.Handle),
            $"cuMemcpyPeerAsync of {bytes} bytes from {fromDevice.Device} to {toDevice.Device}");
    }
}
