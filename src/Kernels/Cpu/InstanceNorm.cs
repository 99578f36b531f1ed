using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Instance normalisation of each channel over the tokens of a sample, without affine part and with the biased variance:
/// Ulyanov, Vedaldi and Lempitsky, "Instance normalization" (2016). PWAM puts it behind its attention, where the deviation can
/// be tiny beside the mean; the statistics are therefore found in double and the mean is subtracted in two parts.
/// </summary>
public static unsafe class InstanceNorm
{
    private const int FloatsPerPiece = 16384;

    /// <summary>y = (x − mean) / √(variance + ε), statistics over the tokens.</summary>
    /// <param name="x">Input, batch × tokens × channels float32 values.</param>
    /// <param name="y">Output of the same size; may be <paramref name="x"/>.</param>
    /// <param name="mean">Means, batch × channels; null where they are not needed.</param>
    /// <param name="rstd">1 / √(variance + ε), batch × channels, for the gradient; null where they are not needed.</param>
    /// <param name="batch">The number of samples.</param>
    /// <param name="tokens">The number of tokens of each.</param>
    /// <param name="channels">The number of channels.</param>
    /// <param name="eps">ε.</param>
    public static void Forward(float* x, float* y, float* mean, float* rstd, int batch, int tokens, int channels, float eps)
    {
        if (batch == 0 || tokens == 0 || channels == 0) return;
        int statistics = checked(batch * channels);
        long bytes = statistics * (2L * sizeof(double) + 3 * sizeof(float));
        double* means = (double*)Workers.Scratch(bytes + ColumnMoments.ScratchBytes(batch, tokens, channels));
        double* variances = means + statistics;
        float* high = (float*)(variances + statistics), low = high + statistics, rstds = low + statistics;
        ColumnMoments.Compute(x, batch, tokens, channels, means, variances, rstds + statistics);
        for (int i = 0; i < statistics; i++)
        {
            high[i] = (float)means[i];
            low[i] = (float)(means[i] - high[i]);
            rstds[i] = (float)(1 / Math.Sqrt(variances[i] + eps));
        }
        if (mean is not null) new Span<float>(high, statistics).CopyTo(new Span<float>(mean, statistics));
        if (rstd is not null) new Span<float>(rstds, statistics).CopyTo(new Span<float>(rstd, statistics));
        int rowsPerPiece = Math.Max(1, FloatsPerPiece / channels);
        int pieces = SimdLoop.Pieces(tokens, rowsPerPiece);
        NormaliseBody body = new()
        {
            X = x,
            Y = y,
            High = high,
            Low = low,
            Rstd = rstds,
            Tokens = tokens,
            Channels = channels,
            RowsPerPiece = rowsPerPiece,
            PiecesPerSample = pieces,
        };
        SimdLoop.For(batch * pieces, body);
    }

    /// <summary>The gradient of <see cref="Forward"/>: dx = rstd · (dy − mean(dy) − y · mean(dy · y)).</summary>
    /// <param name="y">The output of the forward pass; null: it is made again from <paramref name="x"/> and <paramref name="mean"/>.</param>
    /// <param name="x">The input of the forward pass; not read if <paramref name="y"/> is given.</param>
    /// <param name="mean">Means of the forward pass; not read if <paramref name="y"/> is given.</param>
    /// <param name="rstd">1 / √(variance + ε) of the forward pass.</param>
    /// <param name="dy">Gradient of the output.</param>
    /// <param name="dx">Gradient of the input, overwritten; may be <paramref name="dy"/>.</param>
    /// <param name="batch">The number of samples.</param>
    /// <param name="tokens">The number of tokens of each.</param>
    /// <param name="channels">The number of channels.</param>
    public static void Backward(float* y, float* x, float* mean, float* rstd, float* dy, float* dx, int batch, int tokens, int channels)
    {
        if (batch == 0 || tokens == 0 || channels == 0) return;
        int statistics = checked(batch * channels);
        long bytes = 4L * statistics * sizeof(float) + ColumnNormGradient.ScratchBytes(batch, tokens, channels);
        float* sums = (float*)Workers.Scratch(bytes), zeros = sums + 2 * statistics, ones = zeros + statistics;
        new Span<float>(zeros, statistics).Clear();
        new Span<float>(ones, statistics).Fill(1f);
        ColumnNormGradient gradient = new()
        {
            X = y is null ? x : y,
            Shift = y is null ? mean : zeros,
            Factor = y is null ? rstd : ones,
            Scale = rstd,
            Dy = dy,
            Dx = dx,
            SumG = sums,
            SumGx = sums + statistics,
            Groups = batch,
            Rows = tokens,
            Columns = channels,
        };
        gradient.Run(ones + statistics, statisticsDependOnInput: true);
    }

    private struct NormaliseBody : ISimdLoopBody
    {
        public float* X, Y, High, Low, Rstd;
        public int Tokens, Channels, RowsPerPiece, PiecesPerSample;

        public readonly KernelWork Describe(int pieces) =>
            KernelWork.Moving(typeof(NormaliseBody), 2.0 * pieces / PiecesPerSample * Tokens * Channels);

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            (int sample, int piece) = Math.DivRem(index, PiecesPerSample);
            long statistics = (long)sample * Channels;
            int last = Math.Min(Tokens, (piece + 1) * RowsPerPiece);
            for (int token = piece * RowsPerPiece; token < last; token++)
            {
                long at = ((long)sample * Tokens + token) * Channels;
                Row<V>(X + at, High + statistics, Low + statistics, Rstd + statistics, Y + at, Channels);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Row<V>(float* x, float* high, float* low, float* rstd, float* y, int n)
            where V : struct, ISimd<V>
        {
            int i = 0;
            for (; i <= n - V.Width; i += V.Width)
                V.Store((V.Load(x + i) - V.Load(high + i) - V.Load(low + i)) * V.Load(rstd + i), y + i);
            for (; i < n; i++) y[i] = (x[i] - high[i] - low[i]) * rstd[i];
        }
    }
}
