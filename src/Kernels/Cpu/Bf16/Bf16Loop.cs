using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The tasks of a product of bfloat16 matrices: one block of rows by one block of columns. A comes rounded, B packed. Sums are
/// cut by the length of a row alone, so that neither the number of rows nor that of workers changes a bit.
/// </summary>
internal readonly unsafe struct Bf16Loop : ILoopBody
{
    /// <summary>Rows of a block at most.</summary>
    private const int BlockTiles = 20;

    /// <summary>Pairs after which sums go to memory: so many of a block's rows stay in the second cache, and of a panel in the first.</summary>
    private const int LongestSum = 512;

    /// <summary>Tasks wanted for each worker, so that unequal ones are shared out evenly.</summary>
    private const int TasksPerWorker = 4;

    private const int PairsPerLine = 16;

    private readonly float* _a;
    private readonly float* _panels;
    private readonly nint _aStride, _panelFloats;
    private readonly int _m, _n, _k, _pairs, _tiles, _panelCount, _rowBlocks, _columnBlocks;
    private readonly GemmOutput _output;

    /// <summary>A product of <paramref name="a"/>, rows of pairs <see cref="RowStride"/> apart, with <paramref name="b"/>.</summary>
    public Bf16Loop(int m, float* a, PackedBf16Matrix b, in GemmOutput output)
    {
        _m = m;
        _n = b.Columns;
        _a = a;
        _aStride = RowStride(b.Pairs);
        _k = b.Rows;
        _pairs = b.Pairs;
        _panels = b.Panels;
        _panelFloats = b.PanelFloats;
        _panelCount = b.PanelCount;
        _output = output;
        _tiles = (m + GemmTile.MaxRows - 1) / GemmTile.MaxRows;
        _rowBlocks = (_tiles + BlockTiles - 1) / BlockTiles;
        _columnBlocks = Math.Min(_panelCount, ((TasksPerWorker * Workers.Current.Count) + _rowBlocks - 1) / _rowBlocks);
    }

    /// <summary>The number of tasks.</summary>
    public int Tasks => _rowBlocks * _columnBlocks;

    /// <summary>From a row of rounded pairs to the next: an odd number of cache lines, so that the rows of a tile do not fall into the same set of a cache.</summary>
    public static nint RowStride(int pairs) => (((nint)pairs + PairsPerLine - 1) / PairsPerLine * PairsPerLine) | PairsPerLine;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(int index, int worker)
    {
        int rowBlock = index % _rowBlocks, columnBlock = index / _rowBlocks;
        int row = FirstRow(rowBlock), rows = FirstRow(rowBlock + 1) - row, tiles = (rows + GemmTile.MaxRows - 1) / GemmTile.MaxRows;
        int firstPanel = FirstPanel(columnBlock), lastPanel = FirstPanel(columnBlock + 1);
        float* sums = (float*)Workers.Scratch((long)rows * (lastPanel - firstPanel) * Bf16Tile.PanelWidth * sizeof(float));
        int pieces = Math.Max(1, (_pairs + LongestSum - 1) / LongestSum);
        for (int piece = 0; piece < pieces; piece++)
        {
            for (int panel = firstPanel; panel < lastPanel; panel++)
            {
                float* panelSums = sums + ((nint)(panel - firstPanel) * rows * Bf16Tile.PanelWidth);
                for (int tile = 0; tile < tiles; tile++)
                {
                    int first = GemmPack.TileRow(tile, tiles, rows), count = GemmPack.TileRow(tile + 1, tiles, rows) - first;
                    ComputeTile(row + first, count, panel, piece, pieces, panelSums + (first * Bf16Tile.PanelWidth));
                }
            }
        }
    }

    public KernelWork Describe(int pieces)
    {
        double m = _m, n = _n, k = _k;
        return new KernelWork(
            $"Bf16Gemm {m} x {k} -> {n}{_output.Description}",
            2 * m * n * k,
            (sizeof(ushort) * ((m * k) + (k * n))) + (sizeof(float) * _output.Passes * m * n));
    }

    private int FirstRow(int block) => Math.Min(_m, (int)((long)_tiles * block / _rowBlocks) * GemmTile.MaxRows);

    private int FirstPanel(int block) => (int)((long)_panelCount * block / _columnBlocks);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ComputeTile(int row, int rows, int panel, int piece, int pieces, float* sums)
    {
        int column = panel * Bf16Tile.PanelWidth, step = _pairs * piece / pieces;
        bool isLast = piece == pieces - 1;
        TileJob job = new()
        {
            Steps = (_pairs * (piece + 1) / pieces) - step,
            A = _a + (row * _aStride) + step,
            ARowStride = _aStride,
            B = _panels + (panel * _panelFloats) + (step * Bf16Tile.PanelWidth),
        };
        _output.Place(ref job, row, column, Bf16Tile.PanelWidth, sums, first: piece == 0);
        if (isLast) _output.PlaceLast(ref job, row, rows, column, Bf16Tile.PanelWidth);
        Bf16Tile.Run(rows, ref job);
        if (isLast) _output.Finish<F512>(in job, row, rows, column);
    }
}
