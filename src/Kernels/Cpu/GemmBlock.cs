using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>One product with all that its tasks need to know; lives on the caller's stack.</summary>
internal unsafe struct GemmProblem
{
    /// <summary>Rows of A and C.</summary>
    public int M;

    /// <summary>Columns of B and C.</summary>
    public int N;

    /// <summary>The summed dimension.</summary>
    public int K;

    /// <summary>[M, K].</summary>
    public Matrix A;

    /// <summary>[K, N]; not looked at if <see cref="Panels"/> is set.</summary>
    public Matrix B;

    /// <summary>B packed as [panels, K, panel width], or null.</summary>
    public float* Panels;

    /// <summary>[M, N] and what becomes of the sums.</summary>
    public GemmOutput Output;

    /// <summary>How the product is cut up.</summary>
    public GemmPlan Plan;

    /// <summary>[chunks, M, padded columns]: the sums of each chunk if there are several, otherwise null.</summary>
    public float* Partial;
}

/// <summary>The tasks of a product: one block of rows by one block of columns, for one chunk of the sums.</summary>
internal unsafe struct GemmLoop<V>(GemmProblem* problem) : ILoopBody
    where V : struct, ISimd<V>
{
    public readonly void Run(int index, int worker)
    {
        ref readonly GemmPlan plan = ref problem->Plan;

        // Neighbours share columns, that is weights: the cache then fetches those once.
        int rowBlock = index % plan.RowBlocks, rest = index / plan.RowBlocks;
        new GemmBlock<V>(problem, rowBlock, rest % plan.ColumnBlocks, rest / plan.ColumnBlocks).Compute();
    }

    public readonly KernelWork Describe(int pieces)
    {
        double m = problem->M, n = problem->N, k = problem->K;
        string transposed = problem->A.ColumnStride == 1 ? "" : ", A transposed";
        return new KernelWork(
            $"Gemm {m} x {k} -> {n}{problem->Output.Description}{transposed}",
            2 * m * n * k,
            sizeof(float) * ((m * k) + (k * n) + (problem->Output.Passes * m * n)));
    }
}

/// <summary>One task of a product.</summary>
internal unsafe ref struct GemmBlock<V>
    where V : struct, ISimd<V>
{
    /// <summary>Two tiles of rows of this length fill half of the first cache.</summary>
    private const int LongestPrefetchedRow = 256;

    private const int FloatsPerLine = 16;

    private readonly GemmProblem* _problem;
    private readonly int _row, _rows, _tiles, _panel, _panels, _firstStep, _lastStep;
    private readonly bool _packsA, _packsB;
    private readonly float* _packedA;
    private readonly float* _packedB;
    private readonly float* _sums;
    private readonly float* _partial;

    public GemmBlock(GemmProblem* problem, int rowBlock, int columnBlock, int chunk)
    {
        _problem = problem;
        ref readonly GemmPlan plan = ref problem->Plan;
        _row = plan.FirstRow(rowBlock, problem->M);
        _rows = plan.FirstRow(rowBlock + 1, problem->M) - _row;
        _tiles = (_rows + GemmTile.RowsFor<V>() - 1) / GemmTile.RowsFor<V>();
        _panel = plan.FirstPanel(columnBlock);
        _panels = plan.FirstPanel(columnBlock + 1) - _panel;
        _firstStep = plan.FirstStep(chunk, problem->K);
        _lastStep = plan.FirstStep(chunk + 1, problem->K);
        _packsA = problem->A.ColumnStride != 1;

        // Rows that serve a single tile are not worth a copy.
        _packsB = problem->Panels == null && (_tiles > 1 || problem->B.ColumnStride != 1);
        int steps = Math.Min(plan.SumBlock, _lastStep - _firstStep), width = GemmTile.PanelWidth<V>();
        long sizeA = _packsA ? _tiles * GemmPack.TileFloats<V>(steps) : 0;
        long sizeB = problem->Panels == null ? _panels * GemmPack.PanelFloats<V>(steps) : 0;
        _packedA = (float*)Workers.Scratch((sizeA + sizeB + ((long)_rows * _panels * width)) * sizeof(float));
        _packedB = _packedA + sizeA;
        _sums = _packedB + sizeB;
        _partial = problem->Partial == null ? null : problem->Partial + (chunk * (nint)problem->M * plan.PaddedColumns);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Compute()
    {
        int length = _lastStep - _firstStep;
        int blocks = Math.Max(1, (length + _problem->Plan.SumBlock - 1) / _problem->Plan.SumBlock);
        for (int i = 0; i < blocks; i++)
        {
            int step = _firstStep + (int)((long)length * i / blocks);
            int steps = _firstStep + (int)((long)length * (i + 1) / blocks) - step;
            PackA(step, steps);
            PackB(step, steps);
            for (int tile = 0; tile < _tiles; tile++)
                for (int panel = 0; panel < _panels; panel++)
                    ComputeTile(tile, panel, step, steps, i == 0, i == blocks - 1);
        }
    }

    private readonly int TileRow(int tile) => GemmPack.TileRow(tile, _tiles, _rows);

    private readonly void PackA(int step, int steps)
    {
        if (!_packsA) return;
        Matrix a = _problem->A;
        GemmPack.TilesOfA<V>(a.At(_row, step), a.RowStride, a.ColumnStride, _rows, _tiles, _problem->M - _row, steps, _packedA);
    }

    private readonly void PackB(int step, int steps)
    {
        if (_problem->Panels != null) return;
        Matrix b = _problem->B;
        int width = GemmTile.PanelWidth<V>(), columns = _problem->N - (_panel * width);

        // Whole panels that serve a single tile are read where they lie.
        int skipped = _packsB ? 0 : Math.Min(_panels, columns / width);
        float* source = b.At(step, (nint)(_panel + skipped) * width), destination = _packedB + (skipped * GemmPack.PanelFloats<V>(steps));
        GemmPack.PanelsOfB<V>(source, b.RowStride, b.ColumnStride, steps, columns - (skipped * width), _panels - skipped, destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void ComputeTile(int tile, int panel, int step, int steps, bool first, bool last)
    {
        int row = TileRow(tile), rows = TileRow(tile + 1) - row;
        int width = GemmTile.PanelWidth<V>(), column = (_panel + panel) * width;
        TileJob job = new() { Taps = 1, Steps = steps };
        SetOperands(ref job, tile, panel, column, step);
        if (_partial == null)
        {
            _problem->Output.Place(ref job, _row + row, column, width, _sums + ((((nint)panel * _rows) + row) * width), first);
            if (last) _problem->Output.PlaceLast(ref job, _row + row, rows, column, width);
            PrefetchA(tile + 1, panel, step, steps);
            GemmTile.Run<V>(rows, in job);
            if (last) _problem->Output.Finish<V>(in job, _row + row, rows, column);
            return;
        }
        job.CRowStride = job.AddendRowStride = _problem->Plan.PaddedColumns;
        job.C = _partial + ((_row + row) * job.CRowStride) + column;
        job.Addend = first ? null : job.C;
        GemmTile.Run<V>(rows, in job);
    }

    /// <summary>
    /// Calls for a share of the next tile's rows of A, so that all have come when the last panel is done. Longer
    /// rows the processor foresees by itself.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void PrefetchA(int tile, int panel, int step, int steps)
    {
        if (!Sse.IsSupported || _packsA || steps > LongestPrefetchedRow || tile == _tiles) return;
        int row = TileRow(tile), rows = TileRow(tile + 1) - row, end = row + (rows * (panel + 1) / _panels);
        for (int i = row + (rows * panel / _panels); i < end; i++)
        {
            float* a = _problem->A.At(_row + i, step);
            for (nint p = 0; p < steps; p += FloatsPerLine) Sse.Prefetch0(a + p);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void SetOperands(ref TileJob job, int tile, int panel, int column, int step)
    {
        ref readonly Matrix a = ref _problem->A;
        ref readonly Matrix b = ref _problem->B;
        int width = GemmTile.PanelWidth<V>();
        job.A = _packsA ? _packedA + (tile * GemmPack.TileFloats<V>(job.Steps)) : a.At(_row + TileRow(tile), step);
        job.ARowStride = _packsA ? 1 : a.RowStride;
        job.AStepStride = _packsA ? GemmPack.TileStep<V>() : 1;
        job.BStepStride = width;
        if (_problem->Panels != null)
        {
            job.B = _problem->Panels + ((((nint)(_panel + panel) * _problem->K) + step) * width);
        }
        else if (_packsB || column + width > _problem->N)
        {
            job.B = _packedB + (panel * GemmPack.PanelFloats<V>(job.Steps));
        }
        else
        {
            job.B = b.At(step, column);
            job.BStepStride = b.RowStride;
        }
    }
}
