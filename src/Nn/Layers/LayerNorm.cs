using Lavt.Autograd;
using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>Layer normalisation over the last axis with learnt scale and shift; see <see cref="Ops.LayerNorm"/>.</summary>
public sealed class LayerNorm : Module
{
    private readonly double _eps;

    /// <summary>A norm of <paramref name="channels"/> channels, scale 1 and shift 0.</summary>
    public LayerNorm(int channels, double eps = 1e-5)
    {
        _eps = eps;
        Weight = AddParameter("weight", [channels]);
        Bias = AddParameter("bias", [channels]);
        Init.Constant(Weight, 1);
    }

    /// <summary>The scale, [C].</summary>
    public Tensor Weight { get; }

    /// <summary>The shift, [C].</summary>
    public Tensor Bias { get; }

    /// <summary>[..., C] to [..., C]; with a <paramref name="result"/> of BF16 or F16 by <see cref="Ops.LayerNormRounded"/>.</summary>
    public Tensor Forward(Tensor x, DType result = DType.F32) =>
        result == DType.F32 ? Ops.LayerNorm(x, Weight, Bias, _eps) : Ops.LayerNormRounded(x, Weight, Bias, _eps, result);
}
