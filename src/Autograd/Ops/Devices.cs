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

    [ThreadStatic]
    private static Kernels.Cuda.ProductPrecision t_productPrecision;

    /// <summary>To what the operands of matrix products on GPUs are rounded on this thread; float32 unless set.</summary>
    public static Kernels.Cuda.ProductPrecision ProductPrecision
    {
        get => t_productPrecision;
        set => t_productPrecision = value;
    }

    /// <summary>The stream on which operations on a GPU's tensor run.</summary>
    private static CudaStream StreamOf(Tensor x) => CudaStream.Of(x.Device);
}
