using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>The tensor itself if it is on the device already, otherwise a contiguous copy there; a GPU is opened if it is not yet.</summary>
    /// <exception cref="CudaException">There is no such GPU, or its memory is full.</exception>
    public static Tensor To(Tensor x, Device device)
    {
        ArgumentNullException.ThrowIfNull(x);
        Device before = x.Device;
        if (device == before) return x;
        if (device.IsCuda) CudaDevice.Of(device);
        return Tape.Record(nameof(To), Contiguous(x).CopyTo(device), [x], [], g => g.Set(0, To(g.Output, before)));
    }

    /// <summary>The stream on which operations on a GPU's tensor run.</summary>
    private static CudaStream StreamOf(Tensor x) => CudaStream.Of(x.Device);
}
