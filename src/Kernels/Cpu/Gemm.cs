using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Products of float32 matrices: C = activation(A · B + bias) + residual (+ old C). Any strides, any sizes. Sums run in
/// pieces of at most 512 terms, each in one chain, which keeps the rounding error at that of common BLAS libraries. The
/// same shape gives the same bits on any number of workers.
/// </summary>
/// <remarks>
/// A with adjacent columns is read where it lies; other operands are packed, block by block, or once per call where many
/// blocks of rows use B. Weights that many calls use are best packed once (<see cref="PackedMatrix"/>). After Goto and
/// van de Geijn, "Anatomy of High-Performance Matrix Multiplication", without packing A.
/// </remarks>
public static unsafe class Gemm
{
    /// <summary>From this many blocks of rows on, packing B once for all of them beats packing it in each.</summary>
    private const int BlocksThatSharePacking = 4;

    /// <summary>C[m, n] = activation(A[m, k] · B[k, n] + bias) + residual (+ old C).</summary>
    /// <param name="m">Rows of A and C; 0: nothing is done.</param>
    /// <param name="n">Columns of B and C; 0: nothing is done.</param>
    /// <param name="k">Columns of A and rows of B; 0: the product is zero.</param>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n]; a weight of a linear layer, stored [n, k], is <c>new Matrix(w, 1, k)</c>.</param>
    /// <param name="c">[m, n] with adjacent columns; must not overlap A or B.</param>
    /// <param name="cStride">Floats from a row of C to the next.</param>
    /// <param name="epilogue">What becomes of the product.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative.</exception>
    public static void Run(int m, int n, int k, Matrix a, Matrix b, float* c, nint cStride, in Epilogue epilogue)
    {
        GemmProblem problem = Problem(m, n, k, a, c, cStride, in epilogue);
        problem.B = b;
        Run(&problem);
    }

    /// <summary>The same with a B that has been packed before.</summary>
    /// <inheritdoc cref="Run(int, int, int, Matrix, Matrix, float*, nint, in Epilogue)"/>
    /// <exception cref="ArgumentException">B was packed from a matrix of another size.</exception>
    public static void Run(int m, int n, int k, Matrix a, PackedMatrix b, float* c, nint cStride, in Epilogue epilogue)
    {
        if (b.Rows != k || b.Columns != n)
        {
            throw new ArgumentException(
                $"a product with B of {k} x {n} was asked for, but B was packed as {b.Rows} x {b.Columns}; pack the matrix that is meant",
                nameof(b));
        }
        GemmProblem problem = Problem(m, n, k, a, c, cStride, in epilogue);
        problem.Panels = b.Panels;
        Run(&problem);
        GC.KeepAlive(b);
    }

    private static GemmProblem Problem(int m, int n, int k, Matrix a, float* c, nint cStride, in Epilogue epilogue)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(m);
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        return new GemmProblem { M = m, N = n, K = k, A = a, Output = new GemmOutput(c, cStride, n, in epilogue) };
    }

    private static void Run(GemmProblem* problem)
    {
        if (problem->M == 0 || problem->N == 0) return;
        switch (CpuInfo.VectorBits)
        {
            case 512: Run<F512>(problem); break;
            case 256: Run<F256>(problem); break;
            default: Run<F128>(problem); break;
        }
    }

    private static void Run<V>(GemmProblem* problem)
        where V : struct, ISimd<V>
    {
        if (GemmNarrow.Suits<V>(problem))
        {
            GemmNarrow.Run<V>(problem);
            return;
        }
        if (GemmFewRows<V>.Serves(problem))
        {
            GemmFewRows<V> few = new(problem);
            Workers.Current.For(few.Tasks, ref few);
            return;
        }
        int m = problem->M, n = problem->N, k = problem->K;
        problem->Plan = new GemmPlan(m, n, k, problem->A.ColumnStride != 1, GemmTile.RowsFor<V>(), GemmTile.PanelWidth<V>());
        bool packs = problem->Panels == null && problem->Plan.RowBlocks >= BlocksThatSharePacking;
        long panelBytes = packs ? PackedMatrix.BytesFor<V>(k, n) : 0;
        long partialBytes = problem->Plan.Chunks > 1 ? problem->Plan.Chunks * m * problem->Plan.PaddedColumns * sizeof(float) : 0;
        nint panels = packs ? HostAllocator.Allocate(panelBytes) : 0;
        nint partial = partialBytes > 0 ? HostAllocator.Allocate(partialBytes) : 0;
        try
        {
            if (packs)
            {
                PackedMatrix.PackInto<V>(problem->B, k, n, (float*)panels);
                problem->Panels = (float*)panels;
            }
            problem->Partial = (float*)partial;
            GemmLoop<V> loop = new(problem);
            Workers.Current.For(problem->Plan.Tasks, ref loop);
            if (partial != 0) AddChunks<V>(problem);
        }
        finally
        {
            if (packs) HostAllocator.Release(panels, panelBytes);
            if (partial != 0) HostAllocator.Release(partial, partialBytes);
        }
    }

    private static void AddChunks<V>(GemmProblem* problem)
        where V : struct, ISimd<V>
    {
        AddChunksLoop<V> loop = new(problem);
        Workers.Current.For(problem->M, ref loop);
    }

    /// <summary>Adds up the partial sums of one row, in the order of the chunks, and finishes it.</summary>
    private readonly struct AddChunksLoop<V>(GemmProblem* problem) : ILoopBody
        where V : struct, ISimd<V>
    {
        public void Run(int index, int worker)
        {
            nint columns = problem->Plan.PaddedColumns;
            float* sums = problem->Partial + (index * columns);
            for (int chunk = 1; chunk < problem->Plan.Chunks; chunk++) Add(sums, sums + (chunk * problem->M * columns), columns);
            problem->Output.Finish<V>(sums, columns, index, 1, 0, problem->N);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Add(float* sums, float* more, nint count)
        {
            for (nint i = 0; i < count; i += V.Width) V.Store(V.Load(sums + i) + V.Load(more + i), sums + i);
        }
    }
}
