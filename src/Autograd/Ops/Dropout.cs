using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// Sets each element to 0 with the given probability and divides the others by 1 − probability (Srivastava et al.,
    /// 2014). Random numbers come from <see cref="Generator.Current"/>, those of the samples that
    /// <see cref="BatchShare.Current"/> names; the backward pass draws the same ones again.
    /// </summary>
    public static Tensor Dropout(Tensor x, double probability)
    {
        CheckFloat(nameof(Dropout), x);
        if (probability is < 0 or >= 1) throw new ArgumentOutOfRangeException(nameof(probability), $"a dropout probability lies in [0, 1), got {probability}");
        if (probability == 0) return x;
        ulong seed = Generator.Current.Seed, stream = Generator.Current.TakeStream();
        ulong* firstStream = (ulong*)Generator.FirstStreamOnDevice;
        long first = BatchShare.FirstOf(nameof(Dropout), x.Count);
        if (x.DType == DType.F64) return DropoutComposed(x, probability, seed, stream, first);
        x = Contiguous(x);
        return Tape.Record(nameof(Dropout), Run(x), [x], [], g => g.Set(0, Run(g.Output)));

        Tensor Run(Tensor from)
        {
            Tensor to = from.EmptyLike(from.Shape);
            if (from.Device.IsCuda) Kernels.Cuda.Dropout.Run(StreamOf(from), from.DevicePointer<float>(), to.DevicePointer<float>(), from.Count, (float)probability, seed, stream, firstStream, first);
            else Kernels.Cpu.Dropout.Run(from.Pointer<float>(), to.Pointer<float>(), from.Count, (float)probability, seed, stream, first);
            return to;
        }
    }

    /// <summary>
    /// Stochastic depth (Huang et al., 2016): sets all of a sample, the first axis, to 0 with the given probability and
    /// divides the other samples by 1 − probability.
    /// </summary>
    public static Tensor DropPath(Tensor x, double probability)
    {
        CheckFloat(nameof(DropPath), x);
        if (probability is < 0 or >= 1) throw new ArgumentOutOfRangeException(nameof(probability), $"a drop-path probability lies in [0, 1), got {probability}");
        if (probability == 0) return x;
        ulong seed = Generator.Current.Seed, stream = Generator.Current.TakeStream();
        ulong* firstStream = (ulong*)Generator.FirstStreamOnDevice;
        long first = BatchShare.FirstOf(nameof(DropPath), x.Shape[0]);
        if (x.DType == DType.F64) return DropPathComposed(x, probability, seed, stream, first);
        x = Contiguous(x);
        return Tape.Record(nameof(DropPath), ScaleSamples(x, probability, seed, stream, firstStream, first), [x], [], g => g.Set(0, ScaleSamples(g.Output, probability, seed, stream, firstStream, first)));
    }

    internal static Tensor DropPathComposed(Tensor x, double probability, ulong seed, ulong stream, long first = 0)
    {
        int[] dims = new int[x.Rank];
        Array.Fill(dims, 1);
        dims[0] = x.Shape[0];
        return Multiply(x, KeepFactors(new Shape(dims), probability, seed, stream, first, x.DType));
    }

    internal static Tensor DropoutComposed(Tensor x, double probability, ulong seed, ulong stream, long first = 0) =>
        Multiply(x, KeepFactors(x.Shape, probability, seed, stream, first, x.DType));

    private static Tensor KeepFactors(Shape shape, double probability, ulong seed, ulong stream, long first, DType dtype)
    {
        Tensor factors = Tensor.Empty(shape, dtype);
        for (int i = 0; i < shape.Count; i++)
        {
            float factor = KeepFactor(probability, seed, stream, first + i);
            if (dtype == DType.F64) factors.Span<double>()[i] = factor;
            else factors.Span<float>()[i] = factor;
        }
        return factors;
    }

    private static float KeepFactor(double probability, ulong seed, ulong stream, long index) =>
        Philox.Uniform(seed, stream, (ulong)index) >= (float)probability ? 1f / (1f - (float)probability) : 0f;

    private static Tensor ScaleSamples(Tensor x, double probability, ulong seed, ulong stream, ulong* firstStream, long first)
    {
        Tensor y = x.EmptyLike(x.Shape);
        int samples = x.Shape[0];
        long size = x.Count / Math.Max(1, samples);
        if (x.Device.IsCuda)
        {
            Kernels.Cuda.Dropout.RunOnSamples(StreamOf(x), x.DevicePointer<float>(), y.DevicePointer<float>(), samples, size, (float)probability, seed, stream, firstStream, first);
            return y;
        }
        for (int i = 0; i < samples; i++)
            Kernels.Cpu.Elementwise.Scale(x.Pointer<float>() + i * size, KeepFactor(probability, seed, stream, first + i), y.Pointer<float>() + i * size, size);
        return y;
    }
}
