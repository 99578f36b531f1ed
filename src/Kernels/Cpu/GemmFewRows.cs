using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// A product of two tiles of rows with packed weights, such as the words of a sentence: it takes as long as the weights need to
/// come from memory. Each piece of them is used by both tiles while the next one is on its way.
/// </summary>
internal readonly unsafe struct GemmFewRows<V> : ILoopBody
    where V : struct, ISimd<V>
{
    /// <summary>Few, because the first piece of a task often comes late.</summary>
    private const int MostTasks = 32;

    private const int TileCount = 2;

    private readonly GemmProblem* _problem;
    private readonly int _panels, _pieces, _workers;

    public GemmFewRows(GemmProblem* problem)
    {
        _problem = problem;
        _panels = (problem->N + GemmTile.PanelWidth<V>() - 1) / GemmTile.PanelWidth<V>();
        _pieces = (problem->K + GemmPlan.LongestSum - 1) / GemmPlan.LongestSum;
        _workers = Workers.Current.Count;
    }

    /// <summary>The number of tasks, each some panels of weights.</summary>
    public int Tasks => Math.Min(_panels, MostTasks);

    /// <summary>Whether a product is one of these. Narrower vectors take more than two tiles for a sentence, and more time than its weights.</summary>
    public static bool Serves(GemmProblem* problem) =>
        V.Width == 16 && problem->Panels != null && problem->A.ColumnStride == 1 && problem->K > 0
        && problem->M > GemmTile.RowsFor<V>() && problem->M <= TileCount * GemmTile.RowsFor<V>();

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(int index, int worker)
    {
        float* sums = (float*)Workers.Scratch((long)_problem->M * GemmTile.PanelWidth<V>() * sizeof(float));
        int last = FirstPanel(index + 1);
        for (int panel = FirstPanel(index); panel < last; panel++)
            for (int piece = 0; piece < _pieces; piece++)
            {
                // What this worker will probably do next, if this is the task's last piece.
                bool ends = panel == last - 1 && piece == _pieces - 1;
                float* next = ends ? Piece(FirstPanel(index + _workers), 0) : Piece(panel, piece + 1);
                for (int tile = 0; tile < TileCount; tile++) ComputeTile(tile, panel, piece, next, sums);
            }
    }

    public KernelWork Describe(int pieces) => new GemmLoop<V>(_problem).Describe(pieces);

    private int FirstPanel(int task) => (int)((long)_panels * task / Tasks);

    private int FirstStep(int piece) => (int)((long)_problem->K * piece / _pieces);

    /// <summary>Panels follow each other, so that the piece behind a panel's last is the next panel's first.</summary>
    private float* Piece(int panel, int piece) =>
        _problem->Panels + ((((nint)panel * _problem->K) + FirstStep(piece)) * GemmTile.PanelWidth<V>());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ComputeTile(int tile, int panel, int piece, float* next, float* sums)
    {
        int row = GemmPack.TileRow(tile, TileCount, _problem->M), rows = GemmPack.TileRow(tile + 1, TileCount, _problem->M) - row;
        int width = GemmTile.PanelWidth<V>(), column = panel * width, step = FirstStep(piece);
        bool isLast = piece == _pieces - 1;
        float* b = Piece(panel, piece);
        TileJob job = new()
        {
            A = _problem->A.At(row, step),
            ARowStride = _problem->A.RowStride,
            AStepStride = 1,
            B = b,
            BStepStride = width,
            Taps = 1,
            Steps = FirstStep(piece + 1) - step,
            // Each tile calls for one of the two vectors of a step.
            Ahead = (nint)(next - b) + (tile * V.Width),
        };
        _problem->Output.Place(ref job, row, column, width, sums + (row * width), first: piece == 0);
        if (isLast) _problem->Output.PlaceLast(ref job, row, rows, column, width);
        GemmTile.Run<V>(rows, in job);
        if (isLast) _problem->Output.Finish<V>(in job, row, rows, column);
    }
}
