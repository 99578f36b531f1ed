using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// <see cref="Linear"/> with x and the weight rounded to bfloat16 and sums in float32; for inference, has no gradient.
    /// </summary>
    /// <param name="x">[..., K], F32.</param>
    /// <param name="weight">The weight [N, K], rounded and packed by <see cref="PackLinearBf16"/>.</param>
    /// <param name="bias">[N], or null.</param>
    /// <param name="activation">Applied to the sum of product and bias.</param>
    /// <param name="residual">[..., N], added at the end, or null.</param>
    /// <returns>[..., N], F32.</returns>
    public static Tensor LinearBf16(Tensor x, PackedBf16Matrix weight, Tensor? bias, Activation activation = Activation.None, Tensor? residual = null)
    {
        Tape.NotDifferentiable(nameof(LinearBf16), x, bias, residual);
        int k = weight.Rows, n = weight.Columns;
        if (x.Rank == 0 || x.Shape[-1] != k) throw new ArgumentException($"LinearBf16: {x} does not go with a weight of {k} inputs; the last extent must be {k}");
        x = Contiguous(x);
        if (residual is not null) residual = Contiguous(residual);
        Tensor y = Tensor.Empty(x.Shape.With(-1, n));
        Epilogue epilogue = new()
        {
            Bias = bias is null ? null : bias.Pointer<float>(),
            Activation = activation,
            Residual = residual is null ? null : residual.Pointer<float>(),
            ResidualStride = n,
        };
        Bf16Gemm.Run(checked((int)(y.Count / Math.Max(1, n))), x.Pointer<float>(), k, weight, y.Pointer<float>(), n, epilogue);
        return y;
    }

    /// <summary>Rounds and packs a weight [N, K] (trailing extents of 1 are allowed) for <see cref="LinearBf16"/>.</summary>
    /// <exception cref="PlatformNotSupportedException">This machine has no products of bfloat16.</exception>
    public static PackedBf16Matrix PackLinearBf16(Tensor weight)
    {
        int n = weight.Shape[0];
        return PackedBf16Matrix.Pack(Contiguous(weight).Pointer<float>(), n, checked((int)(weight.Count / n)));
    }
}
