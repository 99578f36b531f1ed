using Lavt.Autograd;
using Lavt.Tensors;
using Xunit;
using static Lavt.Tests.Kernels.KernelTesting;

namespace Lavt.Tests.Kernels;

public class LossOpsTests
{
    private static readonly Shape s_shape = [2, 5, 7, 2];

    [Theory]
    [InlineData("ce")]
    [InlineData("mc_dice")]
    [InlineData("dice_focal")]
    public void Composed_form_agrees_with_plain_loops_and_kernels(string loss)
    {
        using MemoryScope scope = MemoryScope.Begin();
        float[] values = Uniform(140, 1, -3, 3);
        byte[] mask = [.. Enumerable.Range(0, 70).Select(i => (byte)(i * i % 7 < 3 ? 1 : 0))];
        Tensor target = Tensor.From(mask, [2, 5, 7]);
        double Plain(double[] x) => loss switch
        {
            "ce" => LossReference.CrossEntropy(x, mask),
            "mc_dice" => LossReference.Dice(x, mask, 2),
            _ => 0.5 * LossReference.Dice(x, mask, 2) + 2 * LossReference.Focal(x, mask),
        };

        double expected = Plain(ToDouble(values));
        Assert.Equal(expected, Evaluate(loss, Tensor.From(ToDouble(values), s_shape), target).Item<double>(), 1e-12);
        Assert.Equal(expected, Evaluate(loss, Tensor.From(values, s_shape), target).Item<float>(), 2e-7);
    }

    [Theory]
    [InlineData("ce")]
    [InlineData("mc_dice")]
    [InlineData("dice_focal")]
    [InlineData("dice_boundary")]
    public void Incoming_gradient_scales_the_gradient(string loss)
    {
        using MemoryScope scope = MemoryScope.Begin();
        float[] one = Gradient(loss, 1, DType.F32), scaled = Gradient(loss, -2.5, DType.F32);
        AssertClose([.. one.Select(v => -2.5 * v)], scaled, 1e-7);
        if (loss == "dice_boundary") return;
        AssertClose(ToDouble(Gradient(loss, -2.5, DType.F64)), scaled, 1e-6);
    }

    [Fact]
    public void Refuses_what_it_cannot_compute()
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor logits = Tensor.Zeros(s_shape), target = Tensor.Zeros([2, 5, 7], DType.U8);
        Assert.Contains("U8[2, 5, 7]", Assert.Throws<ArgumentException>(() => Ops.CrossEntropyLoss(logits, Tensor.Zeros([2, 7, 5], DType.U8))).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => Ops.MultiClassDiceLoss(Tensor.Zeros([2, 5, 7, 3]), target));
        Assert.Throws<ArgumentException>(() => Ops.DiceFocalLoss(logits, Tensor.Zeros([2, 5, 7], DType.I64)));
        target.Span<byte>()[11] = 255;
        Assert.Contains("255 at pixel 11", Assert.Throws<ArgumentException>(() => Ops.CrossEntropyLoss(logits, target)).Message, StringComparison.Ordinal);
    }

    private static float[] Gradient(string loss, double factor, DType dtype)
    {
        float[] values = Uniform(140, 2, -3, 3);
        Tensor target = Tensor.Zeros([2, 5, 7], DType.U8);
        target.Span<byte>()[20..40].Fill(1);
        using Tape tape = Tape.Begin();
        Tensor logits = (dtype == DType.F64 ? Tensor.From(ToDouble(values), s_shape) : Tensor.From(values, s_shape)).RequireGradient();
        tape.Backward(Ops.Scale(Evaluate(loss, logits, target), factor));
        return dtype == DType.F64 ? Array.ConvertAll(logits.Gradient()!.ToArray<double>(), v => (float)v) : logits.Gradient()!.ToArray<float>();
    }

    private static Tensor Evaluate(string loss, Tensor logits, Tensor target) => loss switch
    {
        "ce" => Ops.CrossEntropyLoss(logits, target),
        "mc_dice" => Ops.MultiClassDiceLoss(logits, target),
        "dice_focal" => Ops.DiceFocalLoss(logits, target, 2, 0.5),
        _ => Ops.DiceBoundaryLoss(logits, target),
    };
}
