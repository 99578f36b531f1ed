using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>x · Φ(x), the exact form (Hendrycks and Gimpel, "Gaussian error linear units", 2016).</summary>
    public static Tensor Gelu(Tensor x)
    {
        CheckFloat(nameof(Gelu), x);
        return x.DType == DType.F64 ? GeluComposed(x) : ActivateFused(nameof(Gelu), Kernels.Activation.Gelu, x);
    }

    /// <summary>max(x, 0).</summary>
    public static Tensor Relu(Tensor x)
    {
        CheckFloat(nameof(Relu), x);
        return x.DType == DType.F64 ? ReluComposed(x) : ActivateFused(nameof(Relu), Kernels.Activation.Relu, x);
    }

    /// <summary>The hyperbolic tangent.</summary>
    public static Tensor Tanh(Tensor x)
    {
        CheckFloat(nameof(Tanh), x);
        return x.DType == DType.F64 ? TanhComposed(x) : ActivateFused(nameof(Tanh), Kernels.Activation.Tanh, x);
    }

    /// <summary>1 / (1 + e^−x).</summary>
    public static Tensor Sigmoid(Tensor x)
    {
        CheckFloat(nameof(Sigmoid), x);
        return x.DType == DType.F64 ? SigmoidComposed(x) : ActivateFused(nameof(Sigmoid), Kernels.Activation.Sigmoid, x);
    }

    internal static Tensor GeluComposed(Tensor x) =>
        Multiply(x, Scale(AddScalar(Erf(Scale(x, Math.Sqrt(0.5))), 1), 0.5));

    internal static Tensor ReluComposed(Tensor x) => Multiply(x, Positive(x.Detach()));

    internal static Tensor TanhComposed(Tensor x)
    {
        // 1 − 2 / (e^2x + 1): no overflow on either side.
        Tensor e = AddScalar(Exp(Scale(x, 2)), 1);
        return AddScalar(Scale(Divide(Full([], 1, x.DType, x.Device), e), -2), 1);
    }

    internal static Tensor SigmoidComposed(Tensor x) =>
        Divide(Full([], 1, x.DType, x.Device), AddScalar(Exp(Scale(x, -1)), 1));

    private static Tensor ActivateFused(string operation, Kernels.Activation activation, Tensor x)
    {
        x = Contiguous(x);
        Tensor y = x.EmptyLike(x.Shape);
        ActivationForward(activation, x, y);
        // GELU's derivative needs what it was applied to; the others can be differentiated from their result.
        (Tensor? input, Tensor? result) = activation == Kernels.Activation.Gelu ? (x, (Tensor?)null) : (null, y);
        return Tape.Record(operation, y, [x], [input ?? result], g => g.Set(0, ActivationBackward(activation, input, result, g.Output)));
    }

    /// <summary>y = f(x), both dense.</summary>
    private static void ActivationForward(Kernels.Activation activation, Tensor x, Tensor y)
    {
        if (x.Device.IsCuda)
        {
            Kernels.Cuda.Activations.Forward(StreamOf(x), activation, x.DevicePointer<float>(), y.DevicePointer<float>(), x.Count);
            return;
        }
        float* from = x.Pointer<float>(), to = y.Pointer<float>();
        switch (activation)
        {
            case Kernels.Activation.Gelu: Elementwise.Forward<Gelu>(from, to, x.Count); break;
            case Kernels.Activation.Relu: Elementwise.Forward<Relu>(from, to, x.Count); break;
            case Kernels.Activation.Tanh: Elementwise.Forward<Tanh>(from, to, x.Count); break;
            default: Elementwise.Forward<Sigmoid>(from, to, x.Count); break;
        }
    }

    /// <summary>dy · f′, from the sums that GELU was applied to or from the result of the others.</summary>
    private static Tensor ActivationBackward(Kernels.Activation activation, Tensor? sums, Tensor? result, Tensor dy)
    {
        if (activation == Kernels.Activation.None) return dy;
        Tensor dSums = dy.EmptyLike(dy.Shape);
        if (dy.Device.IsCuda)
        {
            Kernels.Cuda.Activations.Backward(StreamOf(dy), activation, sums.DevicePointer<float>(), result.DevicePointer<float>(), dy.DevicePointer<float>(), dSums.DevicePointer<float>(), dy.Count);
            return dSums;
        }
        float* d = dy.Pointer<float>(), to = dSums.Pointer<float>();
        switch (activation)
        {
            case Kernels.Activation.Gelu: Elementwise.Backward<Gelu>(sums!.Pointer<float>(), null, d, to, dy.Count); break;
            case Kernels.Activation.Relu: Elementwise.Backward<Relu>(null, result!.Pointer<float>(), d, to, dy.Count); break;
            case Kernels.Activation.Tanh: Elementwise.Backward<Tanh>(null, result!.Pointer<float>(), d, to, dy.Count); break;
            default: Elementwise.Backward<Sigmoid>(null, result!.Pointer<float>(), d, to, dy.Count); break;
        }
        return dSums;
    }
}
