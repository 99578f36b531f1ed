using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Batch normalisation of each channel over rows, with an optional ReLU; see <see cref="Cpu.BatchNorm"/>.</summary>
public static unsafe class BatchNorm
{
    /// <inheritdoc cref="Cpu.BatchNorm.ForwardTraining"/>
    /// <remarks>Where devices share the batch, the host adds up their statistics and waits for them.</remarks>
    public static void ForwardTraining(
        CudaStream stream, float* x, float* gamma, float* beta, float* y, float* mean, float* rstd, float* runningMean, float* runningVariance,
        long rows, int channels, float momentum, float eps, bool relu, DeviceSum? sum = null)
    {
        if (channels == 0) return;
        using CudaScratch scratch = new(stream, 2L * channels * sizeof(double));
        double* moments = (double*)scratch.Address;
        ColumnNorm norm = new(stream, 1, rows, channels);
        if (rows > 0) norm.Moments(x, moments);
        double allRows = sum is null ? rows : JoinDevices(stream, moments, rows, channels, sum);
        if (allRows < 2)
            throw new ArgumentOutOfRangeException(nameof(rows), $"batch norm in training needs at least 2 values per channel to find a variance, got {allRows}; use a larger batch or picture, or evaluation mode");
        norm.Statistics(moments, eps, mean, rstd, runningMean, runningVariance, momentum, allRows / (allRows - 1));
        if (rows > 0) norm.Normalise(x, mean, rstd, gamma, beta, y, relu);
    }

    /// <inheritdoc cref="Cpu.BatchNorm.ForwardEvaluation"/>
    public static void ForwardEvaluation(
        CudaStream stream, float* x, float* gamma, float* beta, float* y, float* mean, float* rstd, float* runningMean, float* runningVariance,
        long rows, int channels, float eps, bool relu)
    {
        ColumnNorm norm = new(stream, 1, rows, channels);
        norm.RunningStatistics(runningMean, runningVariance, eps, mean, rstd);
        norm.Normalise(x, mean, rstd, gamma, beta, y, relu);
    }

    /// <inheritdoc cref="Cpu.BatchNorm.Repeat"/>
    public static void Repeat(CudaStream stream, float* x, float* gamma, float* beta, float* y, float* mean, float* rstd, long rows, int channels, bool relu) =>
        new ColumnNorm(stream, 1, rows, channels).Normalise(x, mean, rstd, gamma, beta, y, relu);

    /// <inheritdoc cref="Cpu.BatchNorm.Backward"/>
    public static void Backward(
        CudaStream stream, float* x, float* gamma, float* beta, float* mean, float* rstd, float* dy, float* dx, float* dGamma, float* dBeta,
        long rows, int channels, bool training, DeviceSum? sum = null)
    {
        ColumnNorm norm = new(stream, 1, rows, channels);
        norm.GradientSums(x, mean, rstd, gamma, beta, dy, dBeta, dGamma);
        if (!training || sum is null)
        {
            norm.Gradient(x, mean, rstd, gamma, beta, dy, dBeta, dGamma, training ? 1f / rows : 0f, dx);
            return;
        }
        using CudaScratch totals = new(stream, 2L * channels * sizeof(float));
        float* sumG = (float*)totals.Address, sumGn = sumG + channels;
        double allRows = SumGradients(stream, dBeta, dGamma, sumG, rows, channels, sum);
        norm.Gradient(x, mean, rstd, gamma, beta, dy, sumG, sumGn, (float)(1 / allRows), dx);
    }

    private static double JoinDevices(CudaStream stream, double* moments, long rows, int channels, DeviceSum sum)
    {
        double[] values = new double[2 * channels + 1];
        fixed (double* host = values)
        {
            stream.Device.Memory.CopyToHost((nint)host, (nint)moments, 2L * channels * sizeof(double));
            double allRows = Cpu.BatchNorm.JoinDevices(host, host + channels, rows, channels, sum);
            stream.Device.Memory.CopyFromHost((nint)moments, (nint)host, 2L * channels * sizeof(double));
            return allRows;
        }
    }

    /// <summary>Writes the sums over all devices to <paramref name="totals"/> [2, channels] and returns the number of all rows.</summary>
    private static double SumGradients(CudaStream stream, float* sumG, float* sumGn, float* totals, long rows, int channels, DeviceSum sum)
    {
        CudaMemory memory = stream.Device.Memory;
        float[] values = new float[2 * channels];
        fixed (float* host = values)
        {
            memory.CopyToHost((nint)host, (nint)sumG, (long)channels * sizeof(float));
            memory.CopyToHost((nint)(host + channels), (nint)sumGn, (long)channels * sizeof(float));
            double[] sums = [.. values.Select(value => (double)value), rows];
            sum(sums);
            for (int i = 0; i < values.Length; i++) values[i] = (float)sums[i];
            memory.CopyFromHost((nint)totals, (nint)host, 2L * channels * sizeof(float));
            return sums[^1];
        }
    }
}
