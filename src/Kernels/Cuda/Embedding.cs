using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Rows of a table by their numbers.</summary>
public static unsafe class Embedding
{
    private const int Threads = 128;

    private static readonly CudaKernel s_forward = new("Embedding.cu", "embedding_forward");
    private static readonly CudaKernel s_backward = new("Embedding.cu", "embedding_backward");

    /// <summary>y[i] = table[ids[i]]; a row of not-a-numbers where there is no such row.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="table">[rows, channels].</param>
    /// <param name="ids">[count].</param>
    /// <param name="y">[count, channels].</param>
    /// <param name="count">The number of ids.</param>
    /// <param name="rows">Rows of the table.</param>
    /// <param name="channels">Its columns.</param>
    public static void Forward(CudaStream stream, float* table, long* ids, float* y, long count, int rows, int channels) =>
        s_forward.Launch(stream, count, Threads, 0, table, ids, y, rows, channels);

    /// <summary>Writes the sums of dy over equal ids to their rows of the gradient of the table, in the order of the ids.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="dy">[count, channels].</param>
    /// <param name="ids">[count].</param>
    /// <param name="dTable">[rows, channels], zeros before; rows without id stay as they are.</param>
    /// <param name="count">The number of ids.</param>
    /// <param name="rows">Rows of the table.</param>
    /// <param name="channels">Its columns.</param>
    /// <param name="paddingId">A row that does not learn; −1: none.</param>
    public static void Backward(CudaStream stream, float* dy, long* ids, float* dTable, long count, int rows, int channels, long paddingId) =>
        s_backward.Launch(stream, count, Threads, 0, dy, ids, dTable, count, rows, channels, paddingId);
}
