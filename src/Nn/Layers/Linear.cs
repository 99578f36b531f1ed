using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Tensors;
using ProductPrecision = Lavt.Kernels.Cuda.ProductPrecision;

namespace Lavt.Nn;

/// <summary>
/// y = act(x · Wᵀ + b) (+ residual) over the last axis; also every 1x1 convolution, for channels come last. In evaluation
/// without a tape the weight is packed once and used as often as the layer is called.
/// </summary>
public sealed class Linear : Module
{
    private PackedMatrix? _packed;
    private PackedBf16Matrix? _rounded;
    private readonly PackedOnGpu _packedOnGpu;

    /// <summary>A layer with PyTorch's default initial values.</summary>
    /// <param name="input">Channels in.</param>
    /// <param name="output">Channels out.</param>
    /// <param name="random">Source of the initial values.</param>
    /// <param name="bias">Whether there is a bias.</param>
    /// <param name="kernelAxes">Trailing axes of extent 1 that the weight has in PyTorch: 1 for Conv1d, 2 for Conv2d.</param>
    public Linear(int input, int output, RandomSource random, bool bias = true, int kernelAxes = 0)
    {
        Weight = AddParameter("weight", new Shape([output, input, .. Enumerable.Repeat(1, kernelAxes)]));
        if (bias) Bias = AddParameter("bias", [output]);
        Init.LinearDefault(Weight, Bias, random);
        _packedOnGpu = new PackedOnGpu(Weight, (precision, forRounded, packed) => Ops.PackLinearOnGpu(Weight, precision, forRounded, packed));
    }

    /// <summary>[output, input, 1…].</summary>
    public Tensor Weight { get; }

    /// <summary>[output], or null.</summary>
    public Tensor? Bias { get; }

    /// <summary>[..., input] to [..., output].</summary>
    /// <param name="x">The input; for inference on a GPU also in BF16 or F16.</param>
    /// <param name="activation">Applied to the sum of product and bias.</param>
    /// <param name="residual">Added at the end, or null.</param>
    /// <param name="result">The type of the result where x is BF16 or F16: F32 or that of x.</param>
    /// <param name="forLinear">Whether the result is only for another linear layer, whose input may have gaps between its rows.</param>
    public Tensor Forward(Tensor x, Activation activation = Activation.None, Tensor? residual = null, DType result = DType.F32, bool forLinear = false)
    {
        if (x.DType is DType.BF16 or DType.F16) return Ops.LinearRounded(x, Weight, Bias, activation, residual, result, _packedOnGpu.For(x.DType == DType.F16 ? ProductPrecision.Float16 : ProductPrecision.BFloat16, forRounded: true));
        if (_rounded is not null) return Ops.LinearBf16(x, _rounded, Bias, activation, residual);
        if (Training || Tape.Current is not null || x.DType != DType.F32) return Ops.Linear(x, Weight, Bias, activation, residual, precision: Products);
        if (x.Device.IsCuda) return Ops.Linear(x, Weight, Bias, activation, residual, precision: Products, packedOnGpu: _packedOnGpu.For(Products));
        return Ops.Linear(x, Weight, Bias, activation, residual, _packed ??= Ops.PackLinear(Weight), forLinear: forLinear);
    }

    /// <inheritdoc/>
    protected override void Release(DType products)
    {
        if (IsForInferenceOnly) return;
        if (products == DType.BF16)
        {
            _rounded = Ops.PackLinearBf16(Weight);
            _packed?.Dispose();
            _packed = null;
        }
        else
        {
            _packed ??= Ops.PackLinear(Weight);
        }
        Weight.Discard();
        IsForInferenceOnly = true;
    }

    /// <inheritdoc/>
    protected override void WeightsChanged()
    {
        ThrowIfForInferenceOnly();
        _packed?.Dispose();
        _packed = null;
        _packedOnGpu.Renew();
    }
}
