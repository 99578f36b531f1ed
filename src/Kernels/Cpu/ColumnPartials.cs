using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Sums over the rows of a matrix, made in two steps: a fixed number of row chunks each leave their partial sums, and these
/// are added up in order, in double. The result does not depend on the number of workers.
/// </summary>
internal static unsafe class ColumnPartials
{
    private const int MaxChunks = 64;
    private const int MinRows = 64;
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

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run(int index, int worker)
        {
            int column = index * ColumnsPerPiece;
            int last = Math.Min(Columns, column + ColumnsPerPiece);
            for (; column <= last - 8; column += 8)
            {
                Vector256<double> lower = Vector256<double>.Zero, upper = Vector256<double>.Zero;
                for (int chunk = 0; chunk < Chunks; chunk++)
                {
                    Vector256<float> partial = Vector256.Load(Partials + chunk * Stride + column);
                    lower += Vector256.WidenLower(partial);
                    upper += Vector256.WidenUpper(partial);
                }
                Vector256.Narrow(lower, upper).Store(Result + column);
            }
            for (; column < last; column++)
            {
                double sum = 0;
                for (int chunk = 0; chunk < Chunks; chunk++) sum += Partials[chunk * Stride + column];
                Result[column] = (float)sum;
            }
        }
    }
}
