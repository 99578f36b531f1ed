using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// Instance normalisation over the tokens of a sample (Ulyanov et al., 2016), without affine part: x [B, N, C] is
    /// normalised over N for each sample and channel, with the biased variance, in evaluation too.
    /// </summary>
    public static Tensor InstanceNorm(Tensor x, double eps = 1e-5)
    {
        CheckFloat(nameof(InstanceNorm), x);
        if (x.Rank != 3) throw new ArgumentException($"InstanceNorm needs [batch, tokens, channels], got {x}");
        if (x.DType == DType.F64) return InstanceNormComposed(x, eps);
        x = Contiguous(x);
        (int batch, int tokens, int channels) = (x.Shape[0], x.Shape[1], x.Shape[2]);
        Tensor y = x.EmptyLike(x.Shape), rstd = x.EmptyLike([batch, channels]);
        if (x.Device.IsCuda) Kernels.Cuda.InstanceNorm.Forward(StreamOf(x), x.DevicePointer<float>(), y.DevicePointer<float>(), rstd.DevicePointer<float>(), batch, tokens, channels, (float)eps);
        else Kernels.Cpu.InstanceNorm.Forward(x.Pointer<float>(), y.Pointer<float>(), null, rstd.Pointer<float>(), batch, tokens, channels, (float)eps);
        return Tape.Record(nameof(InstanceNorm), y, [x], [y, rstd], g =>
        {
            Tensor dx = y.EmptyLike(y.Shape);
            if (y.Device.IsCuda) Kernels.Cuda.InstanceNorm.Backward(StreamOf(y), y.DevicePointer<float>(), rstd.DevicePointer<float>(), g.Output.DevicePointer<float>(), dx.DevicePointer<float>(), batch, tokens, channels);
            else Kernels.Cpu.InstanceNorm.Backward(y.Pointer<float>(), null, null, rstd.Pointer<float>(), g.Output.Pointer<float>(), dx.Pointer<float>(), batch, tokens, channels);
            g.Set(0, dx);
        });
    }

    internal static Tensor InstanceNormComposed(Tensor x, double eps) => Normalise(x, 1, eps);
}
