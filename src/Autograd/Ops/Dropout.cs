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
        long first = BatchShare.FirstOf(nameof(Dropout), x.Count);
        if (x.DType == DType.F64) return DropoutComposed(x, probability, seed, stream, first);
        x = Contiguous(x);
        Tensor y = Tensor.Empty(x.Shape);
        Kernels.Cpu.Dropout.Run(x.Pointer<float>(), y.Pointer<float>(), x.Count, (float)probability, seed, stream, first);
        return Tape.Record(nameof(Dropout), y, [x], [], g =>
        {
            Tensor dx = Tensor.Empty(g.Output.Shape);
            Kernels.Cpu.Dropout.Run(g.Output.Pointer<float>(), dx.Pointer<float>(), dx.Count, (float)probability, seed, stream, first);
            g.Set(0, dx);
        });
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
        long first = BatchShare.FirstOf(nameof(DropPath), x.Shape[0]);
        if (x.DType == DType.F64) return DropPathComposed(x, probability, seed, stream, first);
        x = Contiguous(x);
        Tensor y = Tensor.Empty(x.Shape);
        ScaleSamples(x, y, probability, seed, stream, first);
        return Tape.Record(nameof(DropPath), y, [x], [], g =>
        {
            Tensor dx = Tensor.Empty(g.Output.Shape);
            ScaleSamples(g.Output, dx, probability, seed, stream, first);
            g.Set(0, dx);
        });
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

    private static void ScaleSamples(Tensor x, Tensor y, double probability, ulong seed, ulong stream, long first)
    {
        int samples = x.Shape[0];
        long size = x.Count / Math.Max(1, samples);
        for (int i = 0; i < samples; i++)
            Kernels.Cpu.Elementwise.Scale(x.Pointer<float>() + i * size, KeepFactor(probability, seed, stream, first + i), y.Pointer<float>() + i * size, size);
    }
}
