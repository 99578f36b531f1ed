using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>
/// Reads numbers that a GPU computes without waiting for them at once: the copy to the host is queued behind what computes the
/// number, and whoever wants to see it later waits for that copy alone.
/// </summary>
public sealed class LateScalars
{
    private readonly Stack<LateScalar> _free = [];

    /// <summary>The number of a tensor of one element, F32, on the CPU also F64; the tensor may be changed or freed right away.</summary>
    public LateScalar Of(Tensor scalar)
    {
        ArgumentNullException.ThrowIfNull(scalar);
        if (!scalar.Device.IsCuda) return new LateScalar(scalar.To(DType.F64).Item<double>());
        if (!_free.TryPop(out LateScalar? late)) late = new LateScalar(CudaDevice.Of(scalar.Device), _free);
        late.Begin(scalar);
        return late;
    }
}

/// <summary>A number that is or will be known, see <see cref="LateScalars"/>.</summary>
public sealed unsafe class LateScalar
{
    private readonly double _known;
    private readonly PinnedMemory? _memory;
    private readonly CudaEvent? _arrived;
    private readonly Stack<LateScalar>? _free;

    internal LateScalar(double known) => _known = known;

    internal LateScalar(CudaDevice device, Stack<LateScalar> free)
    {
        _memory = new PinnedMemory(device, sizeof(float));
        _arrived = new CudaEvent(device);
        _free = free;
    }

    /// <summary>The number; waits until it is computed. To be called once.</summary>
    public double Read()
    {
        if (_memory is null) return _known;
        _arrived!.Synchronize();
        float value = *(float*)_memory.Address;
        // Pinned memory is dear to get, so that it is used again.
        _free!.Push(this);
        return value;
    }

    internal void Begin(Tensor scalar)
    {
        CudaStream stream = CudaStream.Of(scalar.Device);
        _memory!.CopyFrom((nint)scalar.DevicePointer<float>(), sizeof(float), stream);
        _arrived!.Record(stream);
    }
}
