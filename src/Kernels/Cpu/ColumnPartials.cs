using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Sums over the rows of a matrix, made in two steps: a fixed number of row chunks each leave their partial sums, and these
/// are added up in order, in double. The result does not depend on the number of workers.
/// </summary>
internal static unsafe class ColumnPartials
{
    private const int MaxChunks = 64;
    private const int MinRows = 16;
    private const int ColumnsPerPiece = 256;

    /// <summary>The rows of one chunk for a matrix of <paramref name="rows"/> rows; the last chunk may be shorter.</summary>
    public static long RowsPerChunk(long rows) => Math.Max(MinRows, (rows + MaxChunks - 1) / MaxChunks);

    /// <summary>The number of chunks.</summary>
    public static int Chunks(long rows) => SimdLoop.Pieces(rows, RowsPerChunk(rows));

    /// <summary>result[j] = Σ over chunks of partials[chunk · stride + j] for j &lt; <paramref name="columns"/>.</summary>
    public static void Reduce(float* partials, int chunks, long stride, float* result, int columns)
    {
        ReduceBody body = new() { Partials = partials, Chunks = chunks, Stride = stride, Result = result, Columns = columns };
        Workers.Current.For(SimdLoop.Pieces(columns, ColumnsPerPiece), ref body);
    }

    private struct ReduceBody : ILoopBody
    {
        public float* Partials;
        public int Chunks;
        public long Stride;
        public float* Result;
        public int Columns;

        [SkipLocalsInit]
        public readonly void Run(int index, int worker)
        {
            double* sums = stackalloc double[ColumnsPerPiece];
            int first = index * ColumnsPerPiece;
            int count = Math.Min(ColumnsPerPiece, Columns - first);
            new Span<double>(sums, count).Clear();
            for (int chunk = 0; chunk < Chunks; chunk++)
            {
                float* partial = Partials + chunk * Stride + first;
                for (int j = 0; j < count; j++) sums[j] += partial[j];
            }
            for (int j = 0; j < count; j++) Result[first + j] = (float)sums[j];
        }
    }
}
