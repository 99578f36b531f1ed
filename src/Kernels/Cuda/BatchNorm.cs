using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Batch normalisation of each channel over rows, with an optional ReLU; see <see cref="Cpu.BatchNorm"/>.</summary>
public static unsafe class BatchNorm
{
    /// <inheritdoc cref="Cpu.BatchNorm.ForwardTraining"/>
    /// <remarks>Where devices share the batch, sums of x and x² go round in double; the host waits for nothing, and every device must have a row.</remarks>
    public static void ForwardTraining(
        CudaStream stream, float* x, float* gamma, float* beta, float* y, float* mean, float* rstd, float* runningMean, float* runningVariance,
        long rows, int channels, float momentum, float eps, bool relu, IDeviceSum? sum = null)
    {
        if (channels == 0) return;
        // Two devices with a row each have two.
        int least = sum is null ? 2 : 1;
        if (rows < least)
            throw new ArgumentOutOfRangeException(nameof(rows), $"batch norm in training needs at least 2 values per channel to find a variance, and 1 on each GPU, got {rows} on {stream.Device.Device}; use a larger batch or picture, or evaluation mode");
        ColumnNorm norm = new(stream, 1, rows, channels);
        using CudaScratch scratch = new(stream, norm.SumCount * sizeof(double));
        double* sums = (double*)scratch.Address;
        norm.Sums(x, sums);
        sum?.Sum(stream, sums, norm.SumCount);
        norm.Statistics(sums, eps, mean, rstd, runningMean, runningVariance, momentum);
        norm.Normalise(x, mean, rstd, gamma, beta, y, relu);
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
        long rows, int channels, bool training, IDeviceSum? sum = null)
    {
        ColumnNorm norm = new(stream, 1, rows, channels);
        using CudaScratch scratch = new(stream, norm.SumCount * sizeof(double));
        double* sums = (double*)scratch.Address;
        norm.GradientSums(x, mean, rstd, gamma, beta, dy, sums, dBeta, dGamma);
        if (training) sum?.Sum(stream, sums, norm.SumCount);
        norm.Gradient(x, mean, rstd, gamma, beta, dy, training ? sums : null, dx);
    }
}
