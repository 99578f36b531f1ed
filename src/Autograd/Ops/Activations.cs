using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>x · Φ(x), the exact form (Hendrycks and Gimpel, "Gaussian error linear units", 2016).</summary>
    public static Tensor Gelu(Tensor x)
    {
        CheckFloat(nameof(Gelu), x);
        return x.DType == DType.F64 ? GeluComposed(x) : Activate<Gelu>(nameof(Gelu), x, saveInput: true);
    }

    /// <summary>max(x, 0).</summary>
    public static Tensor Relu(Tensor x)
    {
        CheckFloat(nameof(Relu), x);
        return x.DType == DType.F64 ? ReluComposed(x) : Activate<Relu>(nameof(Relu), x, saveInput: false);
    }

    /// <summary>The hyperbolic tangent.</summary>
    public static Tensor Tanh(Tensor x)
    {
        CheckFloat(nameof(Tanh), x);
        return x.DType == DType.F64 ? TanhComposed(x) : Activate<Tanh>(nameof(Tanh), x, saveInput: false);
    }

    /// <summary>1 / (1 + e^−x).</summary>
    public static Tensor Sigmoid(Tensor x)
    {
        CheckFloat(nameof(Sigmoid), x);
        return x.DType == DType.F64 ? SigmoidComposed(x) : Activate<Sigmoid>(nameof(Sigmoid), x, saveInput: false);
    }

    internal static Tensor GeluComposed(Tensor x) =>
        Multiply(x, Scale(AddScalar(Erf(Scale(x, Math.Sqrt(0.5))), 1), 0.5));

    internal static Tensor ReluComposed(Tensor x) => Multiply(x, Positive(x.Detach()));

    internal static Tensor TanhComposed(Tensor x)
    {
        // 1 − 2 / (e^2x + 1): no overflow on either side.
        Tensor e = AddScalar(Exp(Scale(x, 2)), 1);
        return AddScalar(Scale(Divide(Full([], 1, x.DType), e), -2), 1);
    }

    internal static Tensor SigmoidComposed(Tensor x) =>
        Divide(Full([], 1, x.DType), AddScalar(Exp(Scale(x, -1)), 1));

    private static Tensor Activate<TOp>(string operation, Tensor x, bool saveInput)
        where TOp : struct, IUnaryOp
    {
        x = Contiguous(x);
        Tensor y = Tensor.Empty(x.Shape);
        Elementwise.Forward<TOp>(x.Pointer<float>(), y.Pointer<float>(), x.Count);
        Tensor? input = saveInput ? x : null, result = saveInput ? null : y;
        return Tape.Record(operation, y, [x], [input ?? result], g =>
        {
            Tensor dx = Tensor.Empty(g.Output.Shape);
            Elementwise.Backward<TOp>(input is null ? null : input.Pointer<float>(), result is null ? null : result.Pointer<float>(), g.Output.Pointer<float>(), dx.Pointer<float>(), dx.Count);
            g.Set(0, dx);
        });
    }
}
