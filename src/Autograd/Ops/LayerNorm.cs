using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// Layer normalisation over the last axis (Ba, Kiros, Hinton, 2016): (x − mean) / √(variance + eps) · gamma + beta, with
    /// the biased variance. x [..., C], gamma and beta [C].
    /// </summary>
    public static Tensor LayerNorm(Tensor x, Tensor gamma, Tensor beta, double eps = 1e-5)
    {
        CheckFloat(nameof(LayerNorm), x);
        int channels = x.Shape[-1];
        if (gamma.Count != channels || beta.Count != channels)
            throw new ArgumentException($"LayerNorm: {x} needs gamma and beta with {channels} elements, got {gamma.Count} and {beta.Count}");
        if (x.DType == DType.F64) return LayerNormComposed(x, gamma, beta, eps);
        (x, gamma, beta) = (Contiguous(x), Contiguous(gamma), Contiguous(beta));
        long rows = x.Count / Math.Max(1, channels);
        Tensor y = x.EmptyLike(x.Shape);
        bool recorded = Tape.Needs(x, gamma, beta);
        Tensor? mean = recorded ? x.EmptyLike([(int)rows]) : null, rstd = recorded ? x.EmptyLike([(int)rows]) : null;
        if (x.Device.IsCuda) Kernels.Cuda.LayerNorm.Forward(StreamOf(x), x.DevicePointer<float>(), gamma.DevicePointer<float>(), beta.DevicePointer<float>(), y.DevicePointer<float>(), mean.DevicePointer<float>(), rstd.DevicePointer<float>(), rows, channels, (float)eps);
        else Kernels.Cpu.LayerNorm.Forward(x.Pointer<float>(), gamma.Pointer<float>(), beta.Pointer<float>(), y.Pointer<float>(), recorded ? mean!.Pointer<float>() : null, recorded ? rstd!.Pointer<float>() : null, rows, channels, (float)eps);
        if (recorded)
        {
            Tape.Repeatable(y, [x, gamma, beta, mean, rstd], () =>
            {
                if (x.Device.IsCuda) Kernels.Cuda.LayerNorm.Repeat(StreamOf(x), x.DevicePointer<float>(), gamma.DevicePointer<float>(), beta.DevicePointer<float>(), y.DevicePointer<float>(), mean.DevicePointer<float>(), rstd.DevicePointer<float>(), rows, channels);
                else Kernels.Cpu.LayerNorm.Repeat(x.Pointer<float>(), gamma.Pointer<float>(), beta.Pointer<float>(), y.Pointer<float>(), mean!.Pointer<float>(), rstd!.Pointer<float>(), rows, channels);
            });
        }
        return Tape.Record(nameof(LayerNorm), y, [x, gamma, beta], [x, gamma, mean, rstd], g =>
        {
            Tensor dx = x.EmptyLike(x.Shape), dGamma = x.EmptyLike(gamma.Shape), dBeta = x.EmptyLike(beta.Shape);
            if (x.Device.IsCuda) Kernels.Cuda.LayerNorm.Backward(StreamOf(x), x.DevicePointer<float>(), gamma.DevicePointer<float>(), mean.DevicePointer<float>(), rstd.DevicePointer<float>(), g.Output.DevicePointer<float>(), dx.DevicePointer<float>(), dGamma.DevicePointer<float>(), dBeta.DevicePointer<float>(), rows, channels);
            else Kernels.Cpu.LayerNorm.Backward(x.Pointer<float>(), gamma.Pointer<float>(), mean!.Pointer<float>(), rstd!.Pointer<float>(), g.Output.Pointer<float>(), dx.Pointer<float>(), dGamma.Pointer<float>(), dBeta.Pointer<float>(), rows, channels);
            g.Set(0, dx);
            g.Set(1, dGamma);
            g.Set(2, dBeta);
        });
    }

    internal static Tensor LayerNormComposed(Tensor x, Tensor gamma, Tensor beta, double eps) =>
        Add(Multiply(Normalise(x, -1, eps), gamma), beta);

    /// <summary>(x − mean) / √(variance + eps) with statistics over one axis.</summary>
    private static Tensor Normalise(Tensor x, int axis, double eps)
    {
        Tensor centred = Subtract(x, Mean(x, axis));
        Tensor variance = Mean(Multiply(centred, centred), axis);
        return Divide(centred, Sqrt(AddScalar(variance, eps)));
    }
}
