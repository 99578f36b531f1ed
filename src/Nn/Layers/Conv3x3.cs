using Lavt.Autograd;
using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>3x3 convolution, stride 1, zero padding 1, no bias, channels last; see <see cref="Ops.Conv3x3"/>.</summary>
public sealed class Conv3x3 : Module
{
    private readonly PackedOnGpu _packedOnGpu;

    /// <summary>A layer with PyTorch's default initial values.</summary>
    public Conv3x3(int input, int output, RandomSource random)
    {
        Weight = AddParameter("weight", [output, input, 3, 3]);
        Init.LinearDefault(Weight, null, random);
        _packedOnGpu = new PackedOnGpu(Weight, (precision, _, packed) => Ops.PackConvolutionOnGpu(Weight, precision, packed));
    }

    /// <summary>[output, input, 3, 3].</summary>
    public Tensor Weight { get; }

    /// <summary>What is made of the weight together with other layers; it then serves inference alone.</summary>
    public IDerivedWeight? Derived { get; set; }

    /// <summary>[B, H, W, input] to [B, H, W, output].</summary>
    public Tensor Forward(Tensor x) => Ops.Conv3x3(x, Weight, Products, Training || Tape.Current is not null ? null : _packedOnGpu.For(Products));

    /// <inheritdoc/>
    protected override void Release(DType products)
    {
        if (IsForInferenceOnly || Derived is null) return;
        Derived.Make(products);
        Weight.Discard();
        IsForInferenceOnly = true;
    }

    /// <inheritdoc/>
    protected override void WeightsChanged()
    {
        ThrowIfForInferenceOnly();
        Derived?.Forget();
        _packedOnGpu.Renew();
    }
}
