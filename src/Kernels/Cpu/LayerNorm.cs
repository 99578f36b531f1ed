using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Layer normalisation over the channels of each row, y = γ · (x − mean) / √(variance + ε) + β with the biased variance:
/// Ba, Kiros and Hinton, "Layer normalization" (2016).
/// </summary>
public static unsafe class LayerNorm
{
    private const int FloatsPerPiece = 16384;

    /// <summary>Normalises <paramref name="rows"/> rows of <paramref name="channels"/> float32 values.</summary>
    /// <param name="x">Input, rows × channels.</param>
    /// <param name="gamma">γ, one per channel.</param>
    /// <param name="beta">β, one per channel.</param>
    /// <param name="y">Output, rows × channels; may be <paramref name="x"/>.</param>
    /// <param name="mean">The mean of each row, for the gradient; null where it is not needed.</param>
    /// <param name="rstd">1 / √(variance + ε) of each row, for the gradient; null where it is not needed.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="channels">The number of channels.</param>
    /// <param name="eps">ε.</param>
    public static void Forward(float* x, float* gamma, float* beta, float* y, float* mean, float* rstd, long rows, int channels, float eps) =>
        Run(new() { X = x, Gamma = gamma, Beta = beta, Y = y, Mean = mean, Rstd = rstd, Rows = rows, Channels = channels, Eps = eps });

    /// <summary>The output of <see cref="Forward"/> again, bit for bit, from the <paramref name="mean"/> and <paramref name="rstd"/> that it left.</summary>
    public static void Repeat(float* x, float* gamma, float* beta, float* y, float* mean, float* rstd, long rows, int channels) =>
        Run(new() { X = x, Gamma = gamma, Beta = beta, Y = y, Mean = mean, Rstd = rstd, Rows = rows, Channels = channels, KnowsStatistics = true });

    /// <summary>The gradients of <see cref="Forward"/>.</summary>
    /// <param name="x">The input of the forward pass.</param>
    /// <param name="gamma">γ.</param>
    /// <param name="mean">The mean of each row, from the forward pass.</param>
    /// <param name="rstd">1 / √(variance + ε) of each row, from the forward pass.</param>
    /// <param name="dy">Gradient of the output, rows × channels.</param>
    /// <param name="dx">Gradient of the input, overwritten; may be <paramref name="dy"/>.</param>
    /// <param name="dGamma">Gradient of γ, overwritten.</param>
    /// <param name="dBeta">Gradient of β, overwritten.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="channels">The number of channels.</param>
    public static void Backward(float* x, float* gamma, float* mean, float* rstd, float* dy, float* dx, float* dGamma, float* dBeta, long rows, int channels)
    {
        int chunks = ColumnPartials.Chunks(rows);
        long stride = 2L * channels;
        float* partials = (float*)Workers.Scratch(chunks * stride * sizeof(float));
        BackwardBody body = new()
        {
            X = x,
            Gamma = gamma,
            Mean = mean,
            Rstd = rstd,
            Dy = dy,
            Dx = dx,
            Partials = partials,
            Rows = rows,
            Channels = channels,
            RowsPerChunk = ColumnPartials.RowsPerChunk(rows),
        };
        SimdLoop.For(chunks, body);
        ColumnPartials.Reduce(partials, chunks, stride, dGamma, channels);
        ColumnPartials.Reduce(partials + channels, chunks, stride, dBeta, channels);
    }

    private static void Run(ForwardBody body)
    {
        if (body.Rows == 0 || body.Channels == 0) return;
        body.RowsPerPiece = Math.Max(1, FloatsPerPiece / body.Channels);
        SimdLoop.For(SimdLoop.Pieces(body.Rows, body.RowsPerPiece), body);
    }

    private struct ForwardBody : ISimdLoopBody
    {
        public float* X, Gamma, Beta, Y, Mean, Rstd;
        public long Rows, RowsPerPiece;
        public int Channels;
        public float Eps;
        public bool KnowsStatistics;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(ForwardBody), 2.0 * Rows * Channels);

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            long last = Math.Min(Rows, (index + 1) * RowsPerPiece);
            for (long row = index * RowsPerPiece; row < last; row++)
            {
                float* x = X + row * Channels;
                (float mean, float rstd) = KnowsStatistics ? (Mean[row], Rstd[row]) : Statistics<V>(x);
                Normalise<V>(x, mean, rstd, Gamma, Beta, Y + row * Channels, Channels);
                if (Mean is not null) Mean[row] = mean;
                if (Rstd is not null) Rstd[row] = rstd;
            }
        }

        private readonly (float Mean, float Rstd) Statistics<V>(float* x)
            where V : struct, ISimd<V>
        {
            float mean = Sum<V>(x, Channels) / Channels;
            float variance = SumOfSquaredDeviations<V>(x, mean, Channels) / Channels;
            return (mean, 1f / MathF.Sqrt(variance + Eps));
        }
    }

    private struct BackwardBody : ISimdLoopBody
    {
        public float* X, Gamma, Mean, Rstd, Dy, Dx, Partials;
        public long Rows, RowsPerChunk;
        public int Channels;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(BackwardBody), 3.0 * Rows * Channels);

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            float* dGamma = Partials + index * 2L * Channels;
            new Span<float>(dGamma, 2 * Channels).Clear();
            long last = Math.Min(Rows, (index + 1) * RowsPerChunk);
            for (long row = index * RowsPerChunk; row < last; row++)
            {
                long at = row * Channels;
                BackwardRow<V>(X + at, Gamma, Mean[row], Rstd[row], Dy + at, Dx + at, dGamma, dGamma + Channels, Channels);
            }
        }
    }

    // Ends of rows are done one value at a time: a call with vectors in flight would spill them in the loops.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float Sum<V>(float* x, int n)
        where V : struct, ISimd<V>
    {
        V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
        int i = 0;
        for (; i <= n - 4 * V.Width; i += 4 * V.Width)
        {
            s0 += V.Load(x + i);
            s1 += V.Load(x + i + V.Width);
            s2 += V.Load(x + i + 2 * V.Width);
            s3 += V.Load(x + i + 3 * V.Width);
        }
        for (; i <= n - V.Width; i += V.Width) s0 += V.Load(x + i);
        float sum = V.Sum((s0 + s1) + (s2 + s3));
        for (; i < n; i++) sum += x[i];
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float SumOfSquaredDeviations<V>(float* x, float mean, int n)
        where V : struct, ISimd<V>
    {
        V m = V.Broadcast(mean);
        V s0 = V.Zero, s1 = V.Zero, s2 = V.Zero, s3 = V.Zero;
        int i = 0;
        for (; i <= n - 4 * V.Width; i += 4 * V.Width)
        {
            V d0 = V.Load(x + i) - m;
            V d1 = V.Load(x + i + V.Width) - m;
            V d2 = V.Load(x + i + 2 * V.Width) - m;
            V d3 = V.Load(x + i + 3 * V.Width) - m;
            s0 = V.MultiplyAdd(d0, d0, s0);
            s1 = V.MultiplyAdd(d1, d1, s1);
            s2 = V.MultiplyAdd(d2, d2, s2);
            s3 = V.MultiplyAdd(d3, d3, s3);
        }
        for (; i <= n - V.Width; i += V.Width)
        {
            V d = V.Load(x + i) - m;
            s0 = V.MultiplyAdd(d, d, s0);
        }
        float sum = V.Sum((s0 + s1) + (s2 + s3));
        for (; i < n; i++) sum += (x[i] - mean) * (x[i] - mean);
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Normalise<V>(float* x, float mean, float rstd, float* gamma, float* beta, float* y, int n)
        where V : struct, ISimd<V>
    {
        V m = V.Broadcast(mean), r = V.Broadcast(rstd);
        int i = 0;
        for (; i <= n - V.Width; i += V.Width)
            V.Store(V.MultiplyAdd((V.Load(x + i) - m) * r, V.Load(gamma + i), V.Load(beta + i)), y + i);
        for (; i < n; i++) y[i] = (x[i] - mean) * rstd * gamma[i] + beta[i];
    }

    // With x̂ = (x − mean) · rstd and g = dy · γ: dx = rstd · (g − mean(g) − x̂ · mean(g · x̂)).
    private static void BackwardRow<V>(float* x, float* gamma, float mean, float rstd, float* dy, float* dx, float* dGamma, float* dBeta, int n)
        where V : struct, ISimd<V>
    {
        (float sumG, float sumGx) = AddToParameters<V>(x, gamma, mean, rstd, dy, dGamma, dBeta, n);
        float meanG = sumG / n, meanGx = sumGx / n;
        InputGradient<V>(x, gamma, mean, rstd, dy, meanG, meanGx, dx, n);
    }

    /// <summary>Adds a row to dγ and dβ and returns the sums of g and g · x̂.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static (float SumG, float SumGx) AddToParameters<V>(float* x, float* gamma, float mean, float rstd, float* dy, float* dGamma, float* dBeta, int n)
        where V : struct, ISimd<V>
    {
        V m = V.Broadcast(mean), r = V.Broadcast(rstd);
        V sumsG = V.Zero, sumsGx = V.Zero;
        int i = 0;
        for (; i <= n - V.Width; i += V.Width)
        {
            V gradient = V.Load(dy + i), gamma0 = V.Load(gamma + i);
            V product = gradient * ((V.Load(x + i) - m) * r);
            sumsG = V.MultiplyAdd(gradient, gamma0, sumsG);
            sumsGx = V.MultiplyAdd(product, gamma0, sumsGx);
            V.Store(product + V.Load(dGamma + i), dGamma + i);
            V.Store(gradient + V.Load(dBeta + i), dBeta + i);
        }
        float sumG = V.Sum(sumsG), sumGx = V.Sum(sumsGx);
        for (; i < n; i++)
        {
            float product = dy[i] * ((x[i] - mean) * rstd);
            sumG += dy[i] * gamma[i];
            sumGx += product * gamma[i];
            dGamma[i] += product;
            dBeta[i] += dy[i];
        }
        return (sumG, sumGx);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void InputGradient<V>(float* x, float* gamma, float mean, float rstd, float* dy, float meanG, float meanGx, float* dx, int n)
        where V : struct, ISimd<V>
    {
        V m = V.Broadcast(mean), r = V.Broadcast(rstd), mg = V.Broadcast(meanG), mgx = V.Broadcast(meanGx);
        int i = 0;
        for (; i <= n - V.Width; i += V.Width)
        {
            V g = V.Load(dy + i) * V.Load(gamma + i) - mg;
            V.Store((g - (V.Load(x + i) - m) * r * mgx) * r, dx + i);
        }
        for (; i < n; i++) dx[i] = (dy[i] * gamma[i] - meanG - (x[i] - mean) * rstd * meanGx) * rstd;
    }
}
