using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>What batch norm and instance norm share: statistics over the rows of groups of matrices [groups, rows, columns], and the gradient.</summary>
internal readonly unsafe struct ColumnNorm(CudaStream stream, int groups, long rows, int columns)
{
    private const int Threads = 256, ColumnsPerBlock = 32;
    private const string File = "ColumnNorm.cu";

    private static readonly CudaKernel s_moments = new(File, "column_moments");
    private static readonly CudaKernel s_join = new(File, "column_moments_join");
    private static readonly CudaKernel s_statistics = new(File, "column_statistics");
    private static readonly CudaKernel s_runningStatistics = new(File, "column_statistics_running");
    private static readonly CudaKernel s_normalise = new(File, "column_normalise");
    private static readonly CudaKernel s_gradientSums = new(File, "column_norm_gradient_sums");
    private static readonly CudaKernel s_addChunks = new(File, "column_norm_add_chunks");
    private static readonly CudaKernel s_gradient = new(File, "column_norm_gradient");

    private readonly (int Chunks, int RowsPerChunk) _split = ColumnSum.Split(rows);

    private Grid Blocks => new((columns + ColumnsPerBlock - 1) / ColumnsPerBlock, _split.Chunks, groups);

    private Grid BlocksOfStatistics => Grid.Over((long)groups * columns, Threads);

    private long Partials => (long)groups * _split.Chunks * 2 * columns;

    /// <summary>Mean and biased variance of each column, [groups, 2, columns]; there is at least one row.</summary>
    public void Moments(float* x, double* moments)
    {
        using CudaScratch partials = new(stream, Partials * sizeof(float));
        s_moments.Launch(stream, Blocks, Threads, 0, x, rows, columns, _split.RowsPerChunk, partials.Address);
        s_join.Launch(stream, BlocksOfStatistics, Threads, 0, partials.Address, rows, columns, _split.RowsPerChunk, _split.Chunks, groups, moments);
    }

    /// <summary>mean and 1 / √(variance + eps) from moments; running statistics, unless null, move.</summary>
    public void Statistics(double* moments, float eps, float* mean, float* rstd, float* runningMean = null, float* runningVariance = null, float momentum = 0, double unbiased = 1) =>
        s_statistics.Launch(stream, BlocksOfStatistics, Threads, 0, moments, columns, groups, eps, mean, rstd, runningMean, runningVariance, momentum, KernelArgument.ByValue(&unbiased));

    /// <summary>The same from running statistics of one group.</summary>
    public void RunningStatistics(float* runningMean, float* runningVariance, float eps, float* mean, float* rstd) =>
        s_runningStatistics.Launch(stream, BlocksOfStatistics, Threads, 0, runningMean, runningVariance, columns, eps, mean, rstd);

    /// <summary>y = γ · (x − mean) · rstd + β, cut off below 0 with <paramref name="relu"/>; γ and β may be null.</summary>
    public void Normalise(float* x, float* mean, float* rstd, float* gamma, float* beta, float* y, bool relu = false) =>
        s_normalise.Launch(stream, Blocks, Threads, 0, x, mean, rstd, gamma, beta, y, rows, columns, _split.RowsPerChunk, relu ? 1 : 0);

    /// <summary>Σ g and Σ g · n over the rows, [groups, columns] each. With β given there was a ReLU; without a mean, x is normalised already.</summary>
    public void GradientSums(float* x, float* mean, float* rstd, float* gamma, float* beta, float* dy, float* sumG, float* sumGn)
    {
        using CudaScratch partials = new(stream, Partials * sizeof(double));
        s_gradientSums.Launch(stream, Blocks, Threads, 0, x, mean, rstd, gamma, beta, dy, rows, columns, _split.RowsPerChunk, partials.Address);
        s_addChunks.Launch(stream, BlocksOfStatistics, Threads, 0, partials.Address, _split.Chunks, columns, groups, sumG, sumGn);
    }

    /// <summary>dx = γ · rstd · (g − share · (Σ g + n · Σ g n)).</summary>
    public void Gradient(float* x, float* mean, float* rstd, float* gamma, float* beta, float* dy, float* sumG, float* sumGn, float share, float* dx) =>
        s_gradient.Launch(stream, Blocks, Threads, 0, x, mean, rstd, gamma, beta, dy, sumG, sumGn, share, dx, rows, columns, _split.RowsPerChunk);
}
