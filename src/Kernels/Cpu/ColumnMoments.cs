using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Mean and variance of each column over the rows of a matrix. Each chunk of rows sums the differences from a value near its
/// mean and their squares, and the chunks are joined in double (Chan, Golub and LeVeque, "Updating formulae and a pairwise
/// algorithm for computing sample variances", 1979): nothing cancels, however large the mean is beside the deviation.
/// </summary>
internal static unsafe class ColumnMoments
{
    private const int ColumnsPerPiece = 32;

    /// <summary>The bytes of scratch memory that <see cref="Compute"/> needs.</summary>
    public static long ScratchBytes(int groups, long rows, int columns) =>
        (long)groups * ColumnPartials.Chunks(rows) * 3 * columns * sizeof(float);

    /// <summary>Statistics of <paramref name="groups"/> matrices of <paramref name="rows"/> × <paramref name="columns"/>, one after the other.</summary>
    /// <param name="x">The matrices.</param>
    /// <param name="groups">How many there are.</param>
    /// <param name="rows">The rows of each, at least 1.</param>
    /// <param name="columns">The columns of each.</param>
    /// <param name="mean">Means, groups × columns.</param>
    /// <param name="variance">Biased variances, groups × columns.</param>
    /// <param name="scratch">Memory of <see cref="ScratchBytes"/>.</param>
    public static void Compute(float* x, int groups, long rows, int columns, double* mean, double* variance, void* scratch)
    {
        int chunks = ColumnPartials.Chunks(rows);
        long rowsPerChunk = ColumnPartials.RowsPerChunk(rows);
        ChunkBody chunkBody = new()
        {
            X = x,
            Partials = (float*)scratch,
            Rows = rows,
            RowsPerChunk = rowsPerChunk,
            Columns = columns,
            Chunks = chunks,
        };
        SimdLoop.For(groups * chunks, chunkBody);
        int pieces = SimdLoop.Pieces(columns, ColumnsPerPiece);
        JoinBody join = new()
        {
            Partials = (float*)scratch,
            Mean = mean,
            Variance = variance,
            Rows = rows,
            RowsPerChunk = rowsPerChunk,
            Columns = columns,
            Chunks = chunks,
            PiecesPerGroup = pieces,
        };
        Workers.Current.For(groups * pieces, ref join);
    }

    /// <summary>Leaves, for each column of a chunk, a value near its mean, the sum of the differences from it and the sum of their squares.</summary>
    private struct ChunkBody : ISimdLoopBody
    {
        public float* X, Partials;
        public long Rows, RowsPerChunk;
        public int Columns, Chunks;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(ChunkBody), (double)pieces / Chunks * Rows * Columns);

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            (int group, int chunk) = Math.DivRem(index, Chunks);
            long first = chunk * RowsPerChunk;
            int rows = (int)(Math.Min(Rows, first + RowsPerChunk) - first);
            float* x = X + (group * Rows + first) * Columns;
            float* centre = Partials + (long)index * 3 * Columns;
            Centre(x, rows, Columns, centre);
            float* sums = centre + Columns, squares = sums + Columns;
            new Span<float>(sums, 2 * Columns).Clear();
            int row = 0;
            for (; row <= rows - 4; row += 4) AddFourRows<V>(x + (long)row * Columns, Columns, centre, sums, squares);
            for (; row < rows; row++) AddRow(x + (long)row * Columns, 0, Columns, centre, sums, squares);
        }

        // The mean of every √rows-th row: enough of them that one outlier cannot move the centre by more than about a deviation.
        private static void Centre(float* x, int rows, int columns, float* centre)
        {
            int step = Math.Max(1, (int)Math.Sqrt(rows));
            int count = (rows + step - 1) / step;
            new Span<float>(centre, columns).Clear();
            for (int row = 0; row < rows; row += step) Elementwise.AddTo(centre, x + (long)row * columns, columns);
            Elementwise.Scale(centre, 1f / count, centre, columns);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void AddFourRows<V>(float* x, int columns, float* centre, float* sums, float* squares)
            where V : struct, ISimd<V>
        {
            float* x1 = x + columns, x2 = x1 + columns, x3 = x2 + columns;
            int j = 0;
            for (; j <= columns - V.Width; j += V.Width)
            {
                V c = V.Load(centre + j);
                V d0 = V.Load(x + j) - c, d1 = V.Load(x1 + j) - c, d2 = V.Load(x2 + j) - c, d3 = V.Load(x3 + j) - c;
                V.Store(V.Load(sums + j) + ((d0 + d1) + (d2 + d3)), sums + j);
                V q = V.MultiplyAdd(d0, d0, d1 * d1) + V.MultiplyAdd(d2, d2, d3 * d3);
                V.Store(V.Load(squares + j) + q, squares + j);
            }
            if (j == columns) return;
            for (int row = 0; row < 4; row++) AddRow(x + (long)row * columns, j, columns, centre, sums, squares);
        }

        private static void AddRow(float* x, int first, int columns, float* centre, float* sums, float* squares)
        {
            for (int j = first; j < columns; j++)
            {
                float d = x[j] - centre[j];
                sums[j] += d;
                squares[j] += d * d;
            }
        }
    }

    /// <summary>Joins the chunks of some columns.</summary>
    private struct JoinBody : ILoopBody
    {
        public float* Partials;
        public double* Mean, Variance;
        public long Rows, RowsPerChunk;
        public int Columns, Chunks, PiecesPerGroup;

        public readonly void Run(int index, int worker)
        {
            (int group, int piece) = Math.DivRem(index, PiecesPerGroup);
            int first = piece * ColumnsPerPiece;
            int count = Math.Min(ColumnsPerPiece, Columns - first);
            double* mean = Mean + (long)group * Columns + first, variance = Variance + (long)group * Columns + first;
            new Span<double>(mean, count).Clear();
            new Span<double>(variance, count).Clear();
            for (int chunk = 0; chunk < Chunks; chunk++)
            {
                float* centre = Partials + ((long)group * Chunks + chunk) * 3 * Columns + first, sums = centre + Columns;
                double weight = RowsOf(chunk) / (double)Rows, share = 1.0 / Rows;
                for (int j = 0; j < count; j++) mean[j] += centre[j] * weight + sums[j] * share;
            }
            // Σ (x − mean)² = Σ d² + 2 (centre − mean) Σ d + n (centre − mean)², with d = x − centre.
            for (int chunk = 0; chunk < Chunks; chunk++)
            {
                float* centre = Partials + ((long)group * Chunks + chunk) * 3 * Columns + first;
                float* sums = centre + Columns, squares = sums + Columns;
                double rows = RowsOf(chunk);
                for (int j = 0; j < count; j++)
                {
                    double offset = centre[j] - mean[j];
                    variance[j] += squares[j] + offset * (2 * sums[j] + rows * offset);
                }
            }
            for (int j = 0; j < count; j++) variance[j] = Math.Max(0, variance[j] / Rows);
        }

        private readonly long RowsOf(int chunk) => Math.Min(RowsPerChunk, Rows - chunk * RowsPerChunk);
    }
}
