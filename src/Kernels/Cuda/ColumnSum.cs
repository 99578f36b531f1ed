using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Sums over the rows of a matrix, such as the gradient of a bias.</summary>
public static unsafe class ColumnSum
{
    private const int Threads = 256, ColumnsPerBlock = 32, SmallestChunk = 64, MostChunks = 256;
    private const string File = "ColumnSum.cu";

    private static readonly CudaKernel s_chunks = new(File, "column_sum_chunks");
    private static readonly CudaKernel s_finish = new(File, "column_sum_finish");

    /// <summary>How the rows of a matrix are shared out, by their number alone, so that the order of the sums is fixed.</summary>
    /// <returns>The number of chunks, at least 1, and the rows of each but the last.</returns>
    internal static (int Chunks, int RowsPerChunk) Split(long rows)
    {
        int chunks = (int)Math.Clamp((rows + SmallestChunk - 1) / SmallestChunk, 1, MostChunks);
        return (chunks, (int)((rows + chunks - 1) / chunks));
    }

    /// <summary>y[c] = Σ over the rows of x[row, c].</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="x">[rows, columns], dense.</param>
    /// <param name="rows">The rows; 0 gives zeros.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="y">[columns], overwritten.</param>
    public static void Run(CudaStream stream, float* x, long rows, int columns, float* y)
    {
        (int chunks, int rowsPerChunk) = Split(rows);
        using CudaScratch partials = new(stream, (long)chunks * columns * sizeof(float));
        s_chunks.Launch(stream, new Grid((columns + ColumnsPerBlock - 1) / ColumnsPerBlock, chunks), Threads, 0, x, rows, columns, rowsPerChunk, partials.Address);
        AddChunks(stream, (float*)partials.Address, chunks, columns, y);
    }

    /// <summary>y[c] = Σ of partials[chunk, c] in the order of the chunks.</summary>
    internal static void AddChunks(CudaStream stream, float* partials, int chunks, int columns, float* y) =>
        s_finish.Launch(stream, Grid.Over(columns, Threads), Threads, 0, partials, chunks, columns, y);
}
