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
        Tensor y = x.EmptyLike([batch, height, width, channels]);
        if (x.Device.IsCuda) Kernels.Cuda.Bilinear.Forward(StreamOf(x), x.DevicePointer<float>(), batch, h, w, channels, y.DevicePointer<float>(), height, width, channels);
        else Kernels.Cpu.Bilinear.Forward(x.Pointer<float>(), batch, h, w, channels, y.Pointer<float>(), height, width, channels);
        return Tape.Record(nameof(Bilinear), y, [x], [], g =>
        {
            g.Set(0, BilinearBackward(g.Output, channels, [batch, h, w, channels], height, width));
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
        Tensor y = x.EmptyLike([batch, height, width, all]);
        Action join = () =>
        {
            if (x.Device.IsCuda)
            {
                Kernels.Cuda.Bilinear.Forward(StreamOf(x), x.DevicePointer<float>(), batch, h, w, c1, y.DevicePointer<float>(), height, width, all);
                Kernels.Cuda.Bilinear.CopyChannels(StreamOf(x), skip.DevicePointer<float>(), c2, y.DevicePointer<float>() + c1, all, pixels, c2);
                return;
            }
            Kernels.Cpu.Bilinear.Forward(x.Pointer<float>(), batch, h, w, c1, y.Pointer<float>(), height, width, all);
            Channels.Copy(skip.Pointer<float>(), c2, y.Pointer<float>() + c1, all, pixels, c2);
        };
        join();
        if (Tape.Needs(x, skip)) Tape.Repeatable(y, [x, skip], join);
        return Tape.Record(nameof(BilinearConcat), y, [x, skip], [], g =>
        {
            if (g.Needs(0)) g.Set(0, BilinearBackward(g.Output, all, [batch, h, w, c1], height, width));
            if (g.Needs(1))
            {
                Tensor dSkip = g.Output.EmptyLike([batch, height, width, c2]);
                if (g.Output.Device.IsCuda) Kernels.Cuda.Bilinear.CopyChannels(StreamOf(g.Output), g.Output.DevicePointer<float>() + c1, all, dSkip.DevicePointer<float>(), c2, pixels, c2);
                else Channels.Copy(g.Output.Pointer<float>() + c1, all, dSkip.Pointer<float>(), c2, pixels, c2);
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
        Tensor mask = Tensor.Empty([logits.Shape[0], height, width], DType.U8, logits.Device);
        if (logits.Device.IsCuda) Kernels.Cuda.Bilinear.Mask(StreamOf(logits), logits.DevicePointer<float>(), logits.Shape[0], logits.Shape[1], logits.Shape[2], mask.DevicePointer<byte>(), height, width);
        else BilinearLogits.Mask(logits.Pointer<float>(), logits.Shape[0], logits.Shape[1], logits.Shape[2], mask.Pointer<byte>(), height, width);
        return mask;
    }

    /// <summary>The gradient of a map of <paramref name="shape"/> that was resized, from the first channels of dy's <paramref name="dyStride"/>.</summary>
    private static Tensor BilinearBackward(Tensor dy, int dyStride, Shape shape, int height, int width)
    {
        Tensor dx = dy.EmptyLike(shape);
        if (dy.Device.IsCuda) Kernels.Cuda.Bilinear.Backward(StreamOf(dy), dy.DevicePointer<float>(), dyStride, shape[0], shape[1], shape[2], shape[3], dx.DevicePointer<float>(), height, width);
        else Kernels.Cpu.Bilinear.Backward(dy.Pointer<float>(), dyStride, shape[0], shape[1], shape[2], shape[3], dx.Pointer<float>(), height, width);
        return dx;
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
