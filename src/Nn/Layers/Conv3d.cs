using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>
/// Convolution of channels-last maps [B, T, H, W, C], stride 1, padded so that the map keeps its size; see <see cref="Ops.Conv3d"/>. In
/// evaluation without a tape the weight is packed once and used as often as the layer is called.
/// </summary>
public sealed class Conv3d : Module
{
    private readonly PackedOnGpu _packedOnGpu;
    private PackedConv? _packed;

    /// <summary>A layer with PyTorch's default initial values.</summary>
    /// <param name="input">Channels in.</param>
    /// <param name="output">Channels out.</param>
    /// <param name="kernel">The extents of the kernel, each 1 or 3.</param>
    /// <param name="random">Source of the initial values.</param>
    /// <param name="bias">Whether there is a bias.</param>
    public Conv3d(int input, int output, Volume kernel, RandomSource random, bool bias = true)
    {
        Weight = AddParameter("weight", [output, input, kernel.Frames, kernel.Height, kernel.Width]);
        if (bias) Bias = AddParameter("bias", [output]);
        Init.LinearDefault(Weight, Bias, random);
        _packedOnGpu = new PackedOnGpu(Weight, (precision, _, packed) => Ops.PackConvolutionOnGpu(Weight, precision, packed));
    }

    /// <summary>[output, input, frames, height, width].</summary>
    public Tensor Weight { get; }

    /// <summary>[output], or null.</summary>
    public Tensor? Bias { get; }

    /// <summary>[B, T, H, W, input] to [B, T, H, W, output].</summary>
    public Tensor Forward(Tensor x, Activation activation = Activation.None)
    {
        if (Training || Tape.Current is not null || x.DType != DType.F32) return Ops.Conv3d(x, Weight, Bias, activation, Products);
        if (x.Device.IsCuda) return Ops.Conv3d(x, Weight, Bias, activation, Products, _packedOnGpu.For(Products));
        _packed ??= Ops.PackConvolution(Weight);
        return Ops.ConvolutionInference(x, _packed, Bias, activation);
    }

    /// <inheritdoc/>
    protected override void Release(DType products)
    {
        if (IsForInferenceOnly) return;
        _packed ??= Ops.PackConvolution(Weight);
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
