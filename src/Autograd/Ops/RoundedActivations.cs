using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Tensors;
using ProductPrecision = Lavt.Kernels.Cuda.ProductPrecision;

namespace Lavt.Autograd;

/// <summary>
/// Operations of inference on a GPU between which numbers stay in the 16-bit type that the next product rounds them to anyway: half
/// the traffic through memory, which is what limits a Swin transformer there. None has a gradient.
/// </summary>
public static unsafe partial class Ops
{
    /// <summary><see cref="LayerNorm"/> of x in F32 with a result in BF16 or F16.</summary>
    public static Tensor LayerNormRounded(Tensor x, Tensor gamma, Tensor beta, double eps, DType result)
    {
        Tape.NotDifferentiable(nameof(LayerNormRounded), x, gamma, beta);
        ProductPrecision precision = PrecisionOf(nameof(LayerNormRounded), result, x.Device);
        int channels = x.Shape[-1];
        if (gamma.Count != channels || beta.Count != channels)
            throw new ArgumentException($"LayerNormRounded: {x} needs gamma and beta with {channels} elements, got {gamma.Count} and {beta.Count}");
        (x, gamma, beta) = (Contiguous(x), Contiguous(gamma), Contiguous(beta));
        Tensor y = Tensor.Empty(x.Shape, result, x.Device);
        Kernels.Cuda.LayerNorm.ForwardRounded(StreamOf(x), x.DevicePointer<float>(), gamma.DevicePointer<float>(), beta.DevicePointer<float>(), (void*)y.Address, x.Count / Math.Max(1, channels), channels, (float)eps, precision);
        return y;
    }

    /// <summary><see cref="Linear"/> of x in BF16 or F16, with weight, bias and residual in F32.</summary>
    /// <param name="x">[..., K].</param>
    /// <param name="weight">[N, K], trailing extents of 1 are allowed.</param>
    /// <param name="bias">[N], or null.</param>
    /// <param name="activation">Applied to the sum of product and bias.</param>
    /// <param name="residual">[..., N], added at the end, or null.</param>
    /// <param name="result">F32, or the type of x.</param>
    /// <param name="packed">The weight packed by <see cref="PackLinearOnGpu"/> for inputs of this type, or null.</param>
    /// <returns>[..., N].</returns>
    public static Tensor LinearRounded(Tensor x, Tensor weight, Tensor? bias, Activation activation, Tensor? residual, DType result, Tensor? packed = null)
    {
        Tape.NotDifferentiable(nameof(LinearRounded), x, weight, bias, residual);
        ProductPrecision precision = PrecisionOf(nameof(LinearRounded), x.DType, x.Device);
        int k = x.Shape[-1], n = weight.Shape[0], rows = checked((int)(x.Count / Math.Max(1, k)));
        if (weight.Count != (long)n * k || (result != DType.F32 && result != x.DType))
            throw new ArgumentException($"LinearRounded: {x} does not go with a weight of shape {weight.Shape} and a result of type {result}; the last extent must be {weight.Count / Math.Max(1, n)}, the result F32 or {x.DType}");
        (x, weight) = (Contiguous(x), Contiguous(weight));
        if (residual is not null) residual = Contiguous(residual);
        Tensor y = Tensor.Empty(x.Shape.With(-1, n), result, x.Device);
        Epilogue epilogue = new() { Bias = bias.DevicePointer<float>(), Activation = activation, Residual = residual.DevicePointer<float>(), ResidualStride = n };
        Kernels.Cuda.Gemm.RunRounded(StreamOf(x), rows, n, k, (void*)x.Address, new Matrix(weight.DevicePointer<float>(), 1, k), (void*)y.Address, epilogue, precision, result != DType.F32, packed.DevicePointer<byte>());
        return y;
    }

    /// <summary>Whether <see cref="WindowAttention"/> takes queries, keys and values in BF16 and F16, and gives a result of their type.</summary>
    public static bool TakesRoundedHeads(int headChannels) => headChannels == Kernels.Cuda.WindowAttention.RoundedHead;

    private static Tensor WindowAttentionRounded(Tensor qkv, Tensor qkvBias, Tensor biasTable, Volume map, Volume window, Volume shift, Volume tableWindow)
    {
        Tape.NotDifferentiable(nameof(WindowAttention), qkv, qkvBias, biasTable);
        ProductPrecision precision = PrecisionOf(nameof(WindowAttention), qkv.DType, qkv.Device);
        int heads = biasTable.Shape[1], channels = qkv.Shape[-1] / 3, batch = qkv.Shape[0];
        if (!TakesRoundedHeads(channels / heads))
            throw new NotSupportedException($"WindowAttention of {qkv.DType} takes heads of {Kernels.Cuda.WindowAttention.RoundedHead} channels, got {channels / heads}; give F32");
        (qkv, qkvBias, biasTable) = (Contiguous(qkv), Contiguous(qkvBias), Contiguous(biasTable));
        Tensor y = qkv.EmptyLike([batch, map.Count, channels]);
        Kernels.Cuda.WindowAttention.ForwardRounded(StreamOf(qkv), (void*)qkv.Address, qkvBias.DevicePointer<float>(), biasTable.DevicePointer<float>(), (void*)y.Address, batch, heads, map, window, shift, tableWindow, precision);
        return y;
    }

    private static ProductPrecision PrecisionOf(string operation, DType type, Device device)
    {
        if (!device.IsCuda) throw new MissingKernelException($"{operation} has no kernel for {device}; it is for inference on a GPU");
        return type switch
        {
            DType.BF16 => ProductPrecision.BFloat16,
            DType.F16 => ProductPrecision.Float16,
            _ => throw new ArgumentException($"{operation} is for numbers in BF16 or F16, got {type}"),
        };
    }
}
