using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The tasks of a product of bfloat16 matrices: one block of rows by one block of columns. A task rounds its rows of A
/// once; B comes packed. How the product is cut depends on its shape alone.
/// </summary>
internal readonly unsafe struct Bf16Loop : ILoopBody
{
    /// <summary>Rows of a block at most.</summary>
    private const int BlockTiles = 10;

    /// <summary>What the rounded rows of a block may take of the second cache, which the weights pass through.</summary>
    private const int BlockBytes = 384 << 10;

    /// <summary>Tasks wanted, so that many cores find work and unequal ones share it evenly.</summary>
    private const int WantedTasks = 16;

    /// <summary>The sums of one tile.</summary>
    private const int SumFloats = GemmTile.MaxRows * Bf16Tile.PanelWidth;

    private const int PairsPerLine = 16;

    private readonly float* _a;
    private readonly float* _panels;
    private readonly nint _aStride, _panelFloats, _roundedStride;
    private readonly int _m, _n, _k, _pairs, _tiles, _panelCount, _rowBlocks, _columnBlocks;
    private readonly GemmOutput _output;

    public Bf16Loop(int m, float* a, nint aStride, PackedBf16Matrix b, in GemmOutput output)
    {
        _m = m;
        _n = b.Columns;
        _a = a;
        _aStride = aStride;
        _k = b.Rows;
        _pairs = b.Pairs;
        _panels = b.Panels;
        _panelFloats = b.PanelFloats;
        _panelCount = b.PanelCount;
        _output = output;

        // Whole cache lines, an odd number of them, so that the rows of a tile do not fall into the same set of a cache.
        _roundedStride = (((nint)_pairs + PairsPerLine - 1) / PairsPerLine * PairsPerLine) | PairsPerLine;
        _tiles = (m + GemmTile.MaxRows - 1) / GemmTile.MaxRows;
        int blockTiles = (int)Math.Clamp(BlockBytes / (_roundedStride * sizeof(float) * GemmTile.MaxRows), 1, BlockTiles);
        _rowBlocks = (_tiles + blockTiles - 1) / blockTiles;
        _columnBlocks = Math.Min(_panelCount, (WantedTasks + _rowBlocks - 1) / _rowBlocks);
    }

    /// <summary>The number of tasks.</summary>
    public int Tasks => _rowBlocks * _columnBlocks;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Run(int index, int worker)
    {
        int rowBlock = index % _rowBlocks, columnBlock = index / _rowBlocks;
        int row = FirstRow(rowBlock), rows = FirstRow(rowBlock + 1) - row, tiles = (rows + GemmTile.MaxRows - 1) / GemmTile.MaxRows;
        int firstPanel = FirstPanel(columnBlock), lastPanel = FirstPanel(columnBlock + 1);
        float* sums = (float*)Workers.Scratch((SumFloats + (rows * _roundedStride)) * sizeof(float)), pairs = sums + SumFloats;
        for (int i = 0; i < rows; i++) Round(_a + ((row + i) * _aStride), _k, (ushort*)(pairs + (i * _roundedStride)));
        for (int tile = 0; tile < tiles; tile++)
        {
            int first = GemmPack.TileRow(tile, tiles, rows), count = GemmPack.TileRow(tile + 1, tiles, rows) - first;
            for (int panel = firstPanel; panel < lastPanel; panel++)
                ComputeTile(pairs + (first * _roundedStride), row + first, count, panel, sums);
        }
    }

    public KernelWork Describe(int pieces)
    {
        double m = _m, n = _n, k = _k;
        return new KernelWork(
            $"Bf16Gemm {m} x {k} -> {n}{_output.Description}",
            2 * m * n * k,
            (sizeof(float) * ((m * k) + (_output.Passes * m * n))) + (sizeof(ushort) * k * n));
    }

    /// <summary>Rounds a row to whole pairs; where a number is missing there is a zero.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Round(float* row, int count, ushort* pairs)
    {
        BFloat16.FromSingles(row, pairs, count);
        if (count % 2 != 0) pairs[count] = 0;
    }

    private int FirstRow(int block) => Math.Min(_m, (int)((long)_tiles * block / _rowBlocks) * GemmTile.MaxRows);

    private int FirstPanel(int block) => (int)((long)_panelCount * block / _columnBlocks);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void ComputeTile(float* pairs, int row, int rows, int panel, float* sums)
    {
        int column = panel * Bf16Tile.PanelWidth;
        TileJob job = new() { Steps = _pairs, A = pairs, ARowStride = _roundedStride, B = _panels + (panel * _panelFloats) };
        _output.Place(ref job, row, column, Bf16Tile.PanelWidth, sums, first: true);
        _output.PlaceLast(ref job, row, rows, column, Bf16Tile.PanelWidth);
        Bf16Tile.Run(rows, ref job);
        _output.Finish<F512>(in job, row, rows, column);
    }
}
