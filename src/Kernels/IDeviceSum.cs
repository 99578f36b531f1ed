using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels;

/// <summary>
/// Sums over all devices that share a batch. Every device calls the same for the same kernels in the same order, and all get the same bits.
/// </summary>
public unsafe interface IDeviceSum
{
    /// <summary>Replaces each number by its sum, and returns when it is there.</summary>
    /// <param name="values">Numbers of this device in host memory.</param>
    void Sum(Span<double> values);

    /// <summary>Replaces each number by its sum. The host waits for no number: the sums lie behind what the stream has been given so far and before what comes next.</summary>
    /// <param name="stream">The computing stream of this device, a GPU.</param>
    /// <param name="values">Numbers in its memory, 16-byte aligned.</param>
    /// <param name="count">How many there are.</param>
    void Sum(CudaStream stream, double* values, long count);
}
