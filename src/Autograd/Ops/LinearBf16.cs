using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// <see cref="Linear"/> with x and the weight rounded to bfloat16 and sums in float32; for inference, has no gradient.
    /// </summary>
    /// <param name="x">[..., K], F32, or BF16 where K is even.</param>
    /// <param name="weight">The weight [N, K], rounded and packed by <see cref="PackLinearBf16"/>.</param>
    /// <param name="bias">[N], or null.</param>
    /// <param name="activation">Applied to the sum of product and bias.</param>
    /// <param name="residual">[..., N], added at the end, or null.</param>
    /// <param name="type">The result's type: F32, or BF16 where there is no residual.</param>
    /// <returns>[..., N].</returns>
    public static Tensor LinearBf16(
        Tensor x, PackedBf16Matrix weight, Tensor? bias, Activation activation = Activation.None, Tensor? residual = null, DType type = DType.F32)
    {
        Tape.NotDifferentiable(nameof(LinearBf16), x, bias, residual);
        int k = weight.Rows, n = weight.Columns;
        if (x.Rank == 0 || x.Shape[-1] != k) throw new ArgumentException($"LinearBf16: {x} does not go with a weight of {k} inputs; the last extent must be {k}");
        x = Contiguous(x);
        if (residual is not null) residual = Contiguous(residual);
        Tensor y = Tensor.Empty(x.Shape.With(-1, n), type);
        Epilogue epilogue = new()
        {
            Bias = bias is null ? null : bias.Pointer<float>(),
            Activation = activation,
            Residual = residual is null ? null : residual.Pointer<float>(),
            ResidualStride = n,
        };
        Bf16Gemm.Run(checked((int)(y.Count / Math.Max(1, n))), Operand(x, k), weight, Operand(y, n), epilogue);
        return y;

        static Bf16Operand Operand(Tensor rows, int stride) => rows.DType == DType.BF16
            ? new Bf16Operand(rows.Pointer<ushort>(), stride)
            : new Bf16Operand(rows.Pointer<float>(), stride);
    }

    /// <summary>Rounds and packs a weight [N, K] (trailing extents of 1 are allowed) for <see cref="LinearBf16"/>.</summary>
    /// <exception cref="PlatformNotSupportedException">This machine has no products of bfloat16.</exception>
    public static PackedBf16Matrix PackLinearBf16(Tensor weight)
    {
        int n = weight.Shape[0];
        return PackedBf16Matrix.Pack(Contiguous(weight).Pointer<float>(), n, checked((int)(weight.Count / n)));
    }
}
