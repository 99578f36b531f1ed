using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// Bilinear interpolation of a channels-last map to another size, corners aligned: [B, h, w, C] to
    /// [B, height, width, C].
    /// </summary>
    public static Tensor Bilinear(Tensor x, int height, int width)
    {
        CheckFloat(nameof(Bilinear), x);
        if (x.Rank != 4 || height < 1 || width < 1) throw new ArgumentException($"Bilinear: cannot resize {x} to {height}x{width}; expected [B, H, W, C]");
        if (x.DType == DType.F64) return BilinearComposed(x, height, width);
        x = Contiguous(x);
        (int batch, int h, int w, int channels) = (x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]);
        Tensor y = Tensor.Empty([batch, height, width, channels]);
        Kernels.Cpu.Bilinear.Forward(x.Pointer<float>(), batch, h, w, channels, y.Pointer<float>(), height, width, channels);
        return Tape.Record(nameof(Bilinear), y, [x], [], g =>
        {
            Tensor dx = Tensor.Empty([batch, h, w, channels]);
            Kernels.Cpu.Bilinear.Backward(g.Output.Pointer<float>(), channels, batch, h, w, channels, dx.Pointer<float>(), height, width);
            g.Set(0, dx);
        });
    }

    /// <summary>
    /// The top-down step of the decoder: <paramref name="x"/> [B, h, w, C1] is resized to the size of
    /// <paramref name="skip"/> [B, H, W, C2], and the channels of both are put side by side: [B, H, W, C1 + C2].
    /// </summary>
    public static Tensor BilinearConcat(Tensor x, Tensor skip)
    {
        CheckFloat(nameof(BilinearConcat), x);
        if (x.Rank != 4 || skip.Rank != 4 || x.Shape[0] != skip.Shape[0]) throw new ArgumentException($"BilinearConcat: {x} and {skip} are no maps of one batch");
        if (x.DType == DType.F64) return BilinearConcatComposed(x, skip);
        (x, skip) = (Contiguous(x), Contiguous(skip));
        (int batch, int h, int w, int c1) = (x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]);
        (int height, int width, int c2) = (skip.Shape[1], skip.Shape[2], skip.Shape[3]);
        int all = c1 + c2;
        long pixels = (long)batch * height * width;
        Tensor y = Tensor.Empty([batch, height, width, all]);
        Action join = () =>
        {
            Kernels.Cpu.Bilinear.Forward(x.Pointer<float>(), batch, h, w, c1, y.Pointer<float>(), height, width, all);
            Channels.Copy(skip.Pointer<float>(), c2, y.Pointer<float>() + c1, all, pixels, c2);
        };
        join();
        if (Tape.Needs(x, skip)) Tape.Repeatable(y, [x, skip], join);
        return Tape.Record(nameof(BilinearConcat), y, [x, skip], [], g =>
        {
            float* dy = g.Output.Pointer<float>();
            if (g.Needs(0))
            {
                Tensor dx = Tensor.Empty([batch, h, w, c1]);
                Kernels.Cpu.Bilinear.Backward(dy, all, batch, h, w, c1, dx.Pointer<float>(), height, width);
                g.Set(0, dx);
            }
            if (g.Needs(1))
            {
                Tensor dSkip = Tensor.Empty([batch, height, width, c2]);
                Channels.Copy(dy + c1, all, dSkip.Pointer<float>(), c2, pixels, c2);
                g.Set(1, dSkip);
            }
        });
    }

    /// <summary>
    /// The class with the larger of two logits after <see cref="Bilinear"/>: [B, h, w, 2] to [B, height, width], U8, without
    /// the resized logits ever being stored; has no gradient.
    /// </summary>
    public static Tensor BilinearMask(Tensor logits, int height, int width)
    {
        Tape.NotDifferentiable(nameof(BilinearMask), logits);
        if (logits.DType != DType.F32 || logits.Rank != 4 || logits.Shape[3] != 2) throw new ArgumentException($"BilinearMask needs logits F32[B, H, W, 2], got {logits}");
        logits = Contiguous(logits);
        Tensor mask = Tensor.Empty([logits.Shape[0], height, width], DType.U8);
        BilinearLogits.Mask(logits.Pointer<float>(), logits.Shape[0], logits.Shape[1], logits.Shape[2], mask.Pointer<byte>(), height, width);
        return mask;
    }

    internal static Tensor BilinearConcatComposed(Tensor x, Tensor skip) =>
        Concat(3, BilinearComposed(x, skip.Shape[1], skip.Shape[2]), skip);

    internal static Tensor BilinearComposed(Tensor x, int height, int width)
    {
        // Both directions are matrix products with the interpolation weights.
        (int batch, int h, int w, int channels) = (x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]);
        Tensor rows = MatMul(Permute(x, 0, 2, 3, 1), Permute(InterpolationWeights(h, height, x.DType), 1, 0));
        Tensor both = MatMul(Permute(rows, 0, 2, 3, 1), Permute(InterpolationWeights(w, width, x.DType), 1, 0));
        return Contiguous(Permute(both, 0, 2, 3, 1));
    }

    /// <summary>The weight of each of <paramref name="from"/> samples in each of <paramref name="to"/> results.</summary>
    private static Tensor InterpolationWeights(int from, int to, DType dtype)
    {
        double[] weights = new double[to * from];
        for (int i = 0; i < to; i++)
        {
            double at = to > 1 ? i * ((double)(from - 1) / (to - 1)) : 0;
            int low = Math.Min((int)at, from - 1), high = Math.Min(low + 1, from - 1);
            weights[i * from + low] += 1 - (at - low);
            weights[i * from + high] += at - low;
        }
        return dtype == DType.F64 ? Tensor.From(weights, [to, from]) : Tensor.From(Array.ConvertAll(weights, v => (float)v), [to, from]);
    }
}
