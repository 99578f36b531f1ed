using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>What batch norm and instance norm share: statistics over the rows of groups of matrices [groups, rows, columns], and the gradient.</summary>
internal readonly unsafe struct ColumnNorm(CudaStream stream, int groups, long rows, int columns)
{
    private const int Threads = 256, ColumnsPerBlock = 32;
    private const string File = "ColumnNorm.cu";

    private static readonly CudaKernel s_sums = new(File, "column_sums_of_squares");
    private static readonly CudaKernel s_addChunks = new(File, "column_norm_add_chunks");
    private static readonly CudaKernel s_statistics = new(File, "column_statistics");
    private static readonly CudaKernel s_runningStatistics = new(File, "column_statistics_running");
    private static readonly CudaKernel s_normalise = new(File, "column_normalise");
    private static readonly CudaKernel s_gradientSums = new(File, "column_norm_gradient_sums");
    private static readonly CudaKernel s_gradient = new(File, "column_norm_gradient");

    private readonly (int Chunks, int RowsPerChunk) _split = ColumnSum.Split(rows);

    private Grid Blocks => new((columns + ColumnsPerBlock - 1) / ColumnsPerBlock, _split.Chunks, groups);

    private Grid BlocksOfStatistics => Grid.Over((long)groups * columns, Threads);

    private long BytesOfPartials => (long)groups * _split.Chunks * 2 * columns * sizeof(double);

    /// <summary>How many numbers <see cref="Sums"/> and <see cref="GradientSums"/> write.</summary>
    public long SumCount => (long)groups * 2 * columns + 1;

    /// <summary>Σ x and Σ x² of each column, [groups, 2, columns], and the number of rows behind them.</summary>
    public void Sums(float* x, double* sums)
    {
        using CudaScratch partials = new(stream, BytesOfPartials);
        s_sums.Launch(stream, Blocks, Threads, 0, x, rows, columns, _split.RowsPerChunk, partials.Address);
        AddChunks(partials.Address, sums, null, null);
    }

    /// <summary>mean and 1 / √(variance + eps) from sums; running statistics, unless null, move.</summary>
    public void Statistics(double* sums, float eps, float* mean, float* rstd, float* runningMean = null, float* runningVariance = null, float momentum = 0) =>
        s_statistics.Launch(stream, BlocksOfStatistics, Threads, 0, sums, columns, groups, eps, mean, rstd, runningMean, runningVariance, momentum);

    /// <summary>The same from running statistics of one group.</summary>
    public void RunningStatistics(float* runningMean, float* runningVariance, float eps, float* mean, float* rstd) =>
        s_runningStatistics.Launch(stream, BlocksOfStatistics, Threads, 0, runningMean, runningVariance, columns, eps, mean, rstd);

    /// <summary>y = γ · (x − mean) · rstd + β, cut off below 0 with <paramref name="relu"/>; γ and β may be null.</summary>
    public void Normalise(float* x, float* mean, float* rstd, float* gamma, float* beta, float* y, bool relu = false) =>
        s_normalise.Launch(stream, Blocks, Threads, 0, x, mean, rstd, gamma, beta, y, rows, columns, _split.RowsPerChunk, relu ? 1 : 0);

    /// <summary>
    /// Σ g and Σ g · n over the rows, [groups, 2, columns], and the number of rows behind them; those of one group also rounded to
    /// <paramref name="sumG"/> and <paramref name="sumGn"/>. With β given there was a ReLU; without a mean, x is normalised already.
    /// </summary>
    public void GradientSums(float* x, float* mean, float* rstd, float* gamma, float* beta, float* dy, double* sums, float* sumG = null, float* sumGn = null)
    {
        using CudaScratch partials = new(stream, BytesOfPartials);
        s_gradientSums.Launch(stream, Blocks, Threads, 0, x, mean, rstd, gamma, beta, dy, rows, columns, _split.RowsPerChunk, partials.Address);
        AddChunks(partials.Address, sums, sumG, sumGn);
    }

    /// <summary>dx = γ · rstd · (g − (Σ g + n · Σ g n) / rows), or γ · rstd · g if <paramref name="sums"/> is null.</summary>
    public void Gradient(float* x, float* mean, float* rstd, float* gamma, float* beta, float* dy, double* sums, float* dx) =>
        s_gradient.Launch(stream, Blocks, Threads, 0, x, mean, rstd, gamma, beta, dy, sums, dx, rows, columns, _split.RowsPerChunk);

    private void AddChunks(void* partials, double* sums, float* first, float* second) =>
        s_addChunks.Launch(stream, BlocksOfStatistics, Threads, 0, partials, rows, _split.Chunks, columns, groups, sums, first, second);
}
