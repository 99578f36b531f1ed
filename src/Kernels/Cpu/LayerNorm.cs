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
    public static void Forward(float* x, float* gamma, float* beta, float* y, float* mean, float* rstd, long rows, int channels, float eps)
    {
        if (rows == 0 || channels == 0) return;
        long rowsPerPiece = Math.Max(1, FloatsPerPiece / channels);
        ForwardBody body = new()
        {
            X = x, Gamma = gamma, Beta = beta, Y = y, Mean = mean, Rstd = rstd,
            Rows = rows, Channels = channels, Eps = eps, RowsPerPiece = rowsPerPiece,
        };
        SimdLoop.For(SimdLoop.Pieces(rows, rowsPerPiece), body);
    }

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
            X = x, Gamma = gamma, Mean = mean, Rstd = rstd, Dy = dy, Dx = dx, Partials = partials,
            Rows = rows, Channels = channels, RowsPerChunk = ColumnPartials.RowsPerChunk(rows),
        };
        SimdLoop.For(chunks, body);
        ColumnPartials.Reduce(partials, chunks, stride, dGamma, channels);
        ColumnPartials.Reduce(partials + channels, chunks, stride, dBeta, channels);
    }

    private struct ForwardBody : ISimdLoopBody
    {
        public float* X, Gamma, Beta, Y, Mean, Rstd;
        public long Rows, RowsPerPiece;
        public int Channels;
        public float Eps;

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            long last = Math.Min(Rows, (index + 1) * RowsPerPiece);
            for (long row = index * RowsPerPiece; row < last; row++)
            {
                float* x = X + row * Channels;
                float mean = Sum<V>(x, Channels) / Channels;
                float variance = SumOfSquaredDeviations<V>(x, mean, Channels) / Channels;
                float rstd = 1f / MathF.Sqrt(variance + Eps);
                Normalise<V>(x, mean, rstd, Gamma, Beta, Y + row * Channels, Channels);
                if (Mean is not null) Mean[row] = mean;
                if (Rstd is not null) Rstd[row] = rstd;
            }
        }
    }

    private struct BackwardBody : ISimdLoopBody
    {
        public float* X, Gamma, Mean, Rstd, Dy, Dx, Partials;
        public long Rows, RowsPerChunk;
        public int Channels;

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
        if (i < n) s1 += VectorTail.Load<V>(x + i, n - i);
        return V.Sum((s0 + s1) + (s2 + s3));
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
        if (i < n)
        {
            V d = VectorTail.Load<V>(x + i, n - i, mean) - m;
            s1 = V.MultiplyAdd(d, d, s1);
        }
        return V.Sum((s0 + s1) + (s2 + s3));
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Normalise<V>(float* x, float mean, float rstd, float* gamma, float* beta, float* y, int n)
        where V : struct, ISimd<V>
    {
        V m = V.Broadcast(mean), r = V.Broadcast(rstd);
        int i = 0;
        for (; i <= n - V.Width; i += V.Width)
            V.Store(V.MultiplyAdd((V.Load(x + i) - m) * r, V.Load(gamma + i), V.Load(beta + i)), y + i);
        if (i == n) return;
        V scaled = (VectorTail.Load<V>(x + i, n - i) - m) * r;
        VectorTail.Store(V.MultiplyAdd(scaled, VectorTail.Load<V>(gamma + i, n - i), VectorTail.Load<V>(beta + i, n - i)), y + i, n - i);
    }

    // With x̂ = (x − mean) · rstd and g = dy · γ: dx = rstd · (g − mean(g) − x̂ · mean(g · x̂)).
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void BackwardRow<V>(float* x, float* gamma, float mean, float rstd, float* dy, float* dx, float* dGamma, float* dBeta, int n)
        where V : struct, ISimd<V>
    {
        V m = V.Broadcast(mean), r = V.Broadcast(rstd);
        V sumG = V.Zero, sumGx = V.Zero;
        int i = 0;
        for (; i <= n - V.Width; i += V.Width)
        {
            V normalised = (V.Load(x + i) - m) * r, gradient = V.Load(dy + i);
            V g = gradient * V.Load(gamma + i);
            sumG += g;
            sumGx = V.MultiplyAdd(g, normalised, sumGx);
            V.Store(V.MultiplyAdd(gradient, normalised, V.Load(dGamma + i)), dGamma + i);
            V.Store(gradient + V.Load(dBeta + i), dBeta + i);
        }
        if (i < n)
        {
            int left = n - i;
            V normalised = (VectorTail.Load<V>(x + i, left) - m) * r, gradient = VectorTail.Load<V>(dy + i, left);
            V g = gradient * VectorTail.Load<V>(gamma + i, left);
            sumG += g;
            sumGx = V.MultiplyAdd(g, normalised, sumGx);
            VectorTail.Store(V.MultiplyAdd(gradient, normalised, VectorTail.Load<V>(dGamma + i, left)), dGamma + i, left);
            VectorTail.Store(gradient + VectorTail.Load<V>(dBeta + i, left), dBeta + i, left);
        }
        V meanG = V.Broadcast(V.Sum(sumG) / n), meanGx = V.Broadcast(V.Sum(sumGx) / n);
        for (i = 0; i <= n - V.Width; i += V.Width)
        {
            V normalised = (V.Load(x + i) - m) * r;
            V g = V.MultiplyAdd(V.Load(dy + i), V.Load(gamma + i), V.Zero - meanG);
            V.Store((g - normalised * meanGx) * r, dx + i);
        }
        if (i == n) return;
        V rest = (VectorTail.Load<V>(x + i, n - i) - m) * r;
        V restG = V.MultiplyAdd(VectorTail.Load<V>(dy + i, n - i), VectorTail.Load<V>(gamma + i, n - i), V.Zero - meanG);
        VectorTail.Store((restG - rest * meanGx) * r, dx + i, n - i);
    }
}
