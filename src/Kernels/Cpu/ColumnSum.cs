using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>Sums over the rows of a matrix: the gradient of a bias that was added to every row.</summary>
public static unsafe class ColumnSum
{
    /// <summary>
    /// y[j] = Σ over i of x[i, j] (+ old y[j]). Rows are summed in a fixed number of chunks in float32, the chunks in double:
    /// the same bits on any number of workers.
    /// </summary>
    /// <param name="x">[rows, columns], contiguous.</param>
    /// <param name="rows">The rows; 0: the sums are zero.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="y">[columns].</param>
    /// <param name="accumulate">Adds to what <paramref name="y"/> holds.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative.</exception>
    public static void Run(float* x, int rows, int columns, float* y, bool accumulate)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(columns);
        if (columns == 0) return;
        int chunks = ColumnPartials.Chunks(rows);
        long bytes = (chunks + 1L) * columns * sizeof(float);
        nint block = HostAllocator.Allocate(bytes);
        try
        {
            float* partials = (float*)block;
            SimdLoop.For(chunks, new Body { X = x, Rows = rows, Columns = columns, Partials = partials });
            if (accumulate)
            {
                Buffer.MemoryCopy(y, partials + ((nint)chunks * columns), columns * (long)sizeof(float), columns * (long)sizeof(float));
                chunks++;
            }
            ColumnPartials.Reduce(partials, chunks, columns, y, columns);
        }
        finally
        {
            HostAllocator.Release(block, bytes);
        }
    }

    /// <summary>Sums the rows of one chunk.</summary>
    private struct Body : ISimdLoopBody
    {
        public float* X;
        public int Rows;
        public int Columns;
        public float* Partials;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(Body), (double)Rows * Columns);

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            long first = index * ColumnPartials.RowsPerChunk(Rows);
            nint count = (nint)Math.Min(ColumnPartials.RowsPerChunk(Rows), Rows - first);
            float* x = X + ((nint)first * Columns), partial = Partials + ((nint)index * Columns);
            nint j = 0;
            for (; j + (4 * V.Width) <= Columns; j += 4 * V.Width) SumFourVectors<V>(x + j, Columns, count, partial + j);
            for (; j + V.Width <= Columns; j += V.Width) SumVector<V>(x + j, Columns, count, partial + j);
            for (; j < Columns; j++) SumColumn(x + j, Columns, count, partial + j);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void SumFourVectors<V>(float* x, nint stride, nint rows, float* sums)
            where V : struct, ISimd<V>
        {
            V a = V.Zero, b = V.Zero, c = V.Zero, d = V.Zero;
            for (nint i = 0; i < rows; i++, x += stride)
            {
                a += V.Load(x);
                b += V.Load(x + V.Width);
                c += V.Load(x + (2 * V.Width));
                d += V.Load(x + (3 * V.Width));
            }
            V.Store(a, sums);
            V.Store(b, sums + V.Width);
            V.Store(c, sums + (2 * V.Width));
            V.Store(d, sums + (3 * V.Width));
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void SumVector<V>(float* x, nint stride, nint rows, float* sums)
            where V : struct, ISimd<V>
        {
            V a = V.Zero;
            for (nint i = 0; i < rows; i++, x += stride) a += V.Load(x);
            V.Store(a, sums);
        }

        private static void SumColumn(float* x, nint stride, nint rows, float* sum)
        {
            float a = 0;
            for (nint i = 0; i < rows; i++, x += stride) a += *x;
            *sum = a;
        }
    }
}
