using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Products with one or two columns, as of a layer that tells two classes apart: dot products, limited by memory alone, where
/// <see cref="GemmTile"/> would fill its panel of columns up with zeros.
/// </summary>
internal static unsafe class GemmNarrow
{
    private const int MostColumns = 2;
    private const int RowsAtOnce = 4;
    private const int RowsPerTask = 128;
    private const int FewestRows = 64;

    /// <summary>Whether the columns are few and the rows many and contiguous.</summary>
    public static bool Suits<V>(GemmProblem* problem)
        where V : struct, ISimd<V> =>
        problem->N <= MostColumns && problem->M >= FewestRows && problem->K >= V.Width && problem->A.ColumnStride == 1;

    /// <summary>Computes the product.</summary>
    public static void Run<V>(GemmProblem* problem)
        where V : struct, ISimd<V>
    {
        nint k = problem->K;
        Matrix b = problem->Panels == null ? problem->B : new Matrix(problem->Panels, GemmTile.PanelWidth<V>(), 1);
        nint columns = HostAllocator.Allocate(MostColumns * k * sizeof(float));
        try
        {
            new Span<float>((float*)columns, checked((int)(MostColumns * k))).Clear();
            for (int column = 0; column < problem->N; column++)
                for (nint p = 0; p < k; p++) ((float*)columns)[(column * k) + p] = *b.At(p, column);
            Loop<V> loop = new(problem, (float*)columns);
            Workers.Current.For(SimdLoop.Pieces(problem->M, RowsPerTask), ref loop);
        }
        finally
        {
            HostAllocator.Release(columns, MostColumns * k * sizeof(float));
        }
    }

    /// <summary>Some rows.</summary>
    private readonly struct Loop<V>(GemmProblem* problem, float* columns) : ILoopBody
        where V : struct, ISimd<V>
    {
        public KernelWork Describe(int pieces) => new GemmLoop<V>(problem).Describe(pieces);

        [SkipLocalsInit]
        public void Run(int index, int worker)
        {
            int first = index * RowsPerTask, rows = Math.Min(RowsPerTask, problem->M - first);
            float* sums = stackalloc float[RowsPerTask * MostColumns], next = sums;
            for (int i = 0; i < rows; i += RowsAtOnce, next += RowsAtOnce * MostColumns)
            {
                nint row = first + i, last = first + rows - 1;
                Multiply(problem->A.At(row, 0), problem->A.At(Math.Min(row + 1, last), 0), problem->A.At(Math.Min(row + 2, last), 0), problem->A.At(Math.Min(row + 3, last), 0), next);
            }
            for (int i = 1; i < rows && problem->N < MostColumns; i++) sums[i] = sums[i * MostColumns];
            problem->Output.Finish<V>(sums, problem->N, first, rows, 0, problem->N);
        }

        /// <summary>Four rows by both columns.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private void Multiply(float* a, float* b, float* c, float* d, float* sums)
        {
            float* left = columns, right = columns + problem->K;
            V a0 = V.Zero, a1 = V.Zero, b0 = V.Zero, b1 = V.Zero, c0 = V.Zero, c1 = V.Zero, d0 = V.Zero, d1 = V.Zero;
            nint k = problem->K, p = 0;
            for (; p <= k - V.Width; p += V.Width)
            {
                V x = V.Load(left + p), y = V.Load(right + p), ap = V.Load(a + p), bp = V.Load(b + p), cp = V.Load(c + p), dp = V.Load(d + p);
                a0 = V.MultiplyAdd(ap, x, a0);
                a1 = V.MultiplyAdd(ap, y, a1);
                b0 = V.MultiplyAdd(bp, x, b0);
                b1 = V.MultiplyAdd(bp, y, b1);
                c0 = V.MultiplyAdd(cp, x, c0);
                c1 = V.MultiplyAdd(cp, y, c1);
                d0 = V.MultiplyAdd(dp, x, d0);
                d1 = V.MultiplyAdd(dp, y, d1);
            }
            (sums[0], sums[1], sums[2], sums[3]) = (V.Sum(a0), V.Sum(a1), V.Sum(b0), V.Sum(b1));
            (sums[4], sums[5], sums[6], sums[7]) = (V.Sum(c0), V.Sum(c1), V.Sum(d0), V.Sum(d1));
            for (; p < k; p++)
            {
                AddProducts(a[p], left[p], right[p], sums);
                AddProducts(b[p], left[p], right[p], sums + 2);
                AddProducts(c[p], left[p], right[p], sums + 4);
                AddProducts(d[p], left[p], right[p], sums + 6);
            }
        }

        private static void AddProducts(float a, float left, float right, float* sums)
        {
            sums[0] += a * left;
            sums[1] += a * right;
        }
    }
}
