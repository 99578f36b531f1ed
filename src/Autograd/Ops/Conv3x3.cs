using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// 3x3 convolution of a channels-last map with stride 1 and zero padding 1, without bias: x [B, H, W, Cin], weight
    /// [Cout, Cin, 3, 3] as in PyTorch, result [B, H, W, Cout].
    /// </summary>
    public static Tensor Conv3x3(Tensor x, Tensor weight)
    {
        CheckFloat(nameof(Conv3x3), x);
        if (x.Rank != 4 || weight.Rank != 4 || weight.Shape[1] != x.Shape[3] || weight.Shape[2] != 3 || weight.Shape[3] != 3)
            throw new ArgumentException($"Conv3x3: {x} does not go with a weight of shape {weight.Shape}; expected [B, H, W, Cin] and [Cout, Cin, 3, 3]");
        if (x.DType == DType.F64) return Conv3x3Composed(x, weight);
        (x, weight) = (Contiguous(x), Contiguous(weight));
        (int batch, int height, int width, int cin, int cout) = (x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3], weight.Shape[0]);
        Tensor y = Tensor.Empty([batch, height, width, cout]);
        Kernels.Cpu.Conv3x3.Forward(x.Pointer<float>(), batch, height, width, cin, weight.Pointer<float>(), cout, y.Pointer<float>(), default);
        return Tape.Record(nameof(Conv3x3), y, [x, weight], [x, weight], g =>
        {
            if (g.Needs(0))
            {
                Tensor dx = Tensor.Empty(x.Shape);
                Kernels.Cpu.Conv3x3.BackwardData(g.Output.Pointer<float>(), batch, height, width, cin, weight.Pointer<float>(), cout, dx.Pointer<float>());
                g.Set(0, dx);
            }
            if (g.Needs(1))
            {
                Tensor dWeight = Tensor.Empty(weight.Shape);
                Kernels.Cpu.Conv3x3.BackwardWeight(x.Pointer<float>(), g.Output.Pointer<float>(), batch, height, width, cin, cout, dWeight.Pointer<float>(), accumulate: false);
                g.Set(1, dWeight);
            }
        });
    }

    /// <summary>The convolution with a weight packed once, a bias [Cout] and ReLU; for inference, has no gradient.</summary>
    public static Tensor Conv3x3Inference(Tensor x, PackedConv weight, Tensor bias, bool relu)
    {
        Tape.NotDifferentiable(nameof(Conv3x3Inference), x, bias);
        x = Contiguous(x);
        Tensor y = Tensor.Empty(x.Shape.With(-1, weight.OutputChannels));
        Epilogue epilogue = new() { Bias = bias.Pointer<float>(), Activation = relu ? Activation.Relu : Activation.None };
        Kernels.Cpu.Conv3x3.Forward(x.Pointer<float>(), x.Shape[0], x.Shape[1], x.Shape[2], weight, y.Pointer<float>(), epilogue);
        return y;
    }

    /// <summary>Packs a weight [Cout, Cin, 3, 3] for <see cref="Conv3x3Inference"/>.</summary>
    public static PackedConv PackConv3x3(Tensor weight) =>
        PackedConv.Pack(weight.Pointer<float>(), weight.Shape[1], weight.Shape[0]);

    internal static Tensor Conv3x3Composed(Tensor x, Tensor weight)
    {
        int height = x.Shape[1], width = x.Shape[2];
        Tensor padded = Pad(Pad(x, 1, 1, 1), 2, 1, 1);
        Tensor? y = null;
        for (int ky = 0; ky < 3; ky++)
            for (int kx = 0; kx < 3; kx++)
            {
                Tensor shifted = Slice(Slice(padded, 1, ky, height), 2, kx, width);
                Tensor tap = Permute(Reshape(Slice(Slice(weight, 2, ky, 1), 3, kx, 1), [weight.Shape[0], weight.Shape[1]]), 1, 0);
                Tensor term = MatMul(Contiguous(shifted), tap);
                y = y is null ? term : Add(y, term);
            }
        return y!;
    }
}
