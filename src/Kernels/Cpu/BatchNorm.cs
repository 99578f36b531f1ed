using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Batch normalisation of each channel over rows (samples and positions), y = γ · (x − mean) / √(variance + ε) + β, with an
/// optional ReLU in the same pass: Ioffe and Szegedy, "Batch normalization" (2015), with PyTorch's conventions.
/// </summary>
public static unsafe class BatchNorm
{
    private const int FloatsPerPiece = 16384;

    /// <summary>Normalises with the statistics of the rows and moves the running ones towards them.</summary>
    /// <param name="x">Input, rows × channels float32 values.</param>
    /// <param name="gamma">γ, one per channel.</param>
    /// <param name="beta">β, one per channel.</param>
    /// <param name="y">Output, rows × channels; may be <paramref name="x"/>.</param>
    /// <param name="mean">The means of the rows, for the gradient.</param>
    /// <param name="rstd">1 / √(biased variance + ε), for the gradient.</param>
    /// <param name="runningMean">Becomes (1 − momentum) · itself + momentum · mean.</param>
    /// <param name="runningVariance">The same with the unbiased variance.</param>
    /// <param name="rows">The number of rows, at least 2 over all devices.</param>
    /// <param name="channels">The number of channels.</param>
    /// <param name="momentum">How far the running statistics move.</param>
    /// <param name="eps">ε.</param>
    /// <param name="relu">Whether negative results become 0.</param>
    /// <param name="sum">Makes the statistics those of the rows of all devices together; null if there is one device.</param>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer than 2 rows.</exception>
    public static void ForwardTraining(
        float* x, float* gamma, float* beta, float* y, float* mean, float* rstd, float* runningMean, float* runningVariance,
        long rows, int channels, float momentum, float eps, bool relu, IDeviceSum? sum = null)
    {
        if (channels == 0) return;
        long statistics = (2L * channels + 1) * sizeof(double);
        double* means = (double*)Workers.Scratch(statistics + ColumnMoments.ScratchBytes(1, rows, channels)), variances = means + channels;
        if (rows > 0) ColumnMoments.Compute(x, 1, rows, channels, means, variances, variances + channels + 1);
        double allRows = sum is null ? rows : JoinDevices(means, variances, rows, channels, sum);
        if (allRows < 2)
            throw new ArgumentOutOfRangeException(nameof(rows), $"batch norm in training needs at least 2 values per channel to find a variance, got {allRows}; use a larger batch or picture, or evaluation mode");
        double unbiased = allRows / (allRows - 1);
        for (int c = 0; c < channels; c++)
        {
            mean[c] = (float)means[c];
            rstd[c] = (float)(1 / Math.Sqrt(variances[c] + eps));
            runningMean[c] = (float)((1.0 - momentum) * runningMean[c] + momentum * means[c]);
            runningVariance[c] = (float)((1.0 - momentum) * runningVariance[c] + momentum * variances[c] * unbiased);
        }
        Normalise(x, gamma, beta, y, mean, rstd, rows, channels, relu);
    }

    /// <summary>Normalises with the running statistics, which are copied to <paramref name="mean"/> and <paramref name="rstd"/> for the gradient.</summary>
    /// <param name="x">Input, rows × channels float32 values.</param>
    /// <param name="gamma">γ, one per channel.</param>
    /// <param name="beta">β, one per channel.</param>
    /// <param name="y">Output, rows × channels; may be <paramref name="x"/>.</param>
    /// <param name="mean">Receives the running mean.</param>
    /// <param name="rstd">Receives 1 / √(running variance + ε).</param>
    /// <param name="runningMean">The running mean, one per channel.</param>
    /// <param name="runningVariance">The running variance, one per channel.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="channels">The number of channels.</param>
    /// <param name="eps">ε.</param>
    /// <param name="relu">Whether negative results become 0.</param>
    public static void ForwardEvaluation(
        float* x, float* gamma, float* beta, float* y, float* mean, float* rstd, float* runningMean, float* runningVariance,
        long rows, int channels, float eps, bool relu)
    {
        for (int c = 0; c < channels; c++)
        {
            mean[c] = runningMean[c];
            rstd[c] = (float)(1 / Math.Sqrt((double)runningVariance[c] + eps));
        }
        Normalise(x, gamma, beta, y, mean, rstd, rows, channels, relu);
    }

    /// <summary>The output of a forward pass again, bit for bit, with the <paramref name="mean"/> and <paramref name="rstd"/> that it left.</summary>
    public static void Repeat(float* x, float* gamma, float* beta, float* y, float* mean, float* rstd, long rows, int channels, bool relu) =>
        Normalise(x, gamma, beta, y, mean, rstd, rows, channels, relu);

    /// <summary>The gradients of both forward passes.</summary>
    /// <param name="x">The input of the forward pass.</param>
    /// <param name="gamma">γ.</param>
    /// <param name="beta">β if the forward pass had a ReLU, which shows what that cut off; null: it had none.</param>
    /// <param name="mean">As the forward pass left them.</param>
    /// <param name="rstd">As the forward pass left them.</param>
    /// <param name="dy">Gradient of the output.</param>
    /// <param name="dx">Gradient of the input, overwritten; may be <paramref name="dy"/>.</param>
    /// <param name="dGamma">Gradient of γ, overwritten.</param>
    /// <param name="dBeta">Gradient of β, overwritten.</param>
    /// <param name="rows">The number of rows.</param>
    /// <param name="channels">The number of channels.</param>
    /// <param name="training">Whether the forward pass used the statistics of the rows.</param>
    /// <param name="sum">As in the forward pass. Gradients of γ and β stay those of this device's rows.</param>
    public static void Backward(
        float* x, float* gamma, float* beta, float* mean, float* rstd, float* dy, float* dx, float* dGamma, float* dBeta,
        long rows, int channels, bool training, IDeviceSum? sum = null)
    {
        if (channels == 0) return;
        float* scale = (float*)Workers.Scratch(channels * sizeof(float) + ColumnNormGradient.ScratchBytes(1, rows, channels));
        for (int c = 0; c < channels; c++) scale[c] = gamma[c] * rstd[c];
        ColumnNormGradient gradient = new()
        {
            X = x,
            Shift = mean,
            Factor = rstd,
            Scale = scale,
            Dy = dy,
            Gain = beta is null ? null : gamma,
            Offset = beta,
            Dx = dx,
            SumG = dBeta,
            SumGx = dGamma,
            Groups = 1,
            Rows = rows,
            Columns = channels,
        };
        gradient.Run(scale + channels, training, training ? sum : null);
    }

    /// <summary>
    /// Makes means and variances of this device's rows those of all devices' (Chan, Golub and LeVeque, see
    /// <see cref="ColumnMoments"/>) and returns the number of all rows. There is room for one more number behind the variances.
    /// </summary>
    internal static double JoinDevices(double* means, double* variances, long rows, int channels, IDeviceSum sum)
    {
        Span<double> centres = rows > 0 ? new Span<double>(means, channels).ToArray() : new double[channels];
        for (int c = 0; c < channels; c++) means[c] = rows * centres[c];
        // The number of rows goes with the sums of the means, over the first variance.
        double variance = variances[0];
        variances[0] = rows;
        sum.Sum(new Span<double>(means, channels + 1));
        double allRows = variances[0];
        variances[0] = variance;
        for (int c = 0; c < channels; c++)
        {
            means[c] /= allRows;
            double offset = centres[c] - means[c];
            variances[c] = rows > 0 ? rows * (variances[c] + offset * offset) : 0;
        }
        sum.Sum(new Span<double>(variances, channels));
        for (int c = 0; c < channels; c++) variances[c] /= allRows;
        return allRows;
    }

    private static void Normalise(float* x, float* gamma, float* beta, float* y, float* mean, float* rstd, long rows, int channels, bool relu)
    {
        if (rows == 0 || channels == 0) return;
        long rowsPerPiece = Math.Max(1, FloatsPerPiece / channels);
        NormaliseBody body = new()
        {
            X = x,
            Gamma = gamma,
            Beta = beta,
            Y = y,
            Mean = mean,
            Rstd = rstd,
            Rows = rows,
            RowsPerPiece = rowsPerPiece,
            Channels = channels,
            Floor = relu ? 0f : float.NegativeInfinity,
        };
        SimdLoop.For(SimdLoop.Pieces(rows, rowsPerPiece), body);
    }

    private struct NormaliseBody : ISimdLoopBody
    {
        public float* X, Gamma, Beta, Y, Mean, Rstd;
        public long Rows, RowsPerPiece;
        public int Channels;
        public float Floor;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(NormaliseBody), 2.0 * Rows * Channels);

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            long last = Math.Min(Rows, (index + 1) * RowsPerPiece);
            for (long row = index * RowsPerPiece; row < last; row++)
                Row<V>(X + row * Channels, Mean, Rstd, Gamma, Beta, Floor, Y + row * Channels, Channels);
        }

        // The floor comes first in Max: x86 then hands on a NaN.
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Row<V>(float* x, float* mean, float* rstd, float* gamma, float* beta, float floor, float* y, int n)
            where V : struct, ISimd<V>
        {
            V floors = V.Broadcast(floor);
            int i = 0;
            for (; i <= n - V.Width; i += V.Width)
            {
                V normalised = (V.Load(x + i) - V.Load(mean + i)) * V.Load(rstd + i);
                V.Store(V.Max(floors, V.MultiplyAdd(normalised, V.Load(gamma + i), V.Load(beta + i))), y + i);
            }
            for (; i < n; i++)
            {
                float value = (x[i] - mean[i]) * rstd[i] * gamma[i] + beta[i];
                y[i] = value < floor ? floor : value;
            }
        }
    }
}
