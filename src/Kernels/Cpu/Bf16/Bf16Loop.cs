using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The tasks of a product of bfloat16 matrices: one block of rows by one block of columns. A task rounds its rows of A
/// once; B comes packed. How the product is cut depends on its shape alone.
/// </summary>
internal unsafe struct Bf16Loop : ILoopBody
{
    public static int
        BlockRows = 120, BlockBytes = 384 << 10, WantedTasks = 16;

    private readonly Bf16Operand _a;
    private readonly Bf16Operand _c;
    private readonly float* _panels;
    private readonly nint _panelFloats;
    private readonly int _m, _n, _k, _tiles, _panelCount, _rowBlocks, _columnBlocks;
    private GemmOutput _output;
    private Epilogue _epilogue;

    public Bf16Loop(int m, in Bf16Operand a, PackedBf16Matrix b, in Bf16Operand c, in Epilogue epilogue)
    {
        _a = a;
        _c = c;
        _panels = b.Panels;
        _panelFloats = b.PanelFloats;
        (_m, _n, _k) = (m, b.Columns, b.Rows);
        _output = new GemmOutput((float*)c.Data, c.Stride, _n, in epilogue);
        _epilogue = epilogue;
        _panelCount = b.PanelCount;
        _tiles = (m + GemmTile.MaxRows - 1) / GemmTile.MaxRows;
        int tilesPerBlock = Math.Clamp(BlockBytes / (Math.Max(1, b.Pairs) * sizeof(float) * GemmTile.MaxRows), 1, BlockRows / GemmTile.MaxRows);
        _rowBlocks = (_tiles + tilesPerBlock - 1) / tilesPerBlock;
        _columnBlocks = Math.Min(_panelCount, (WantedTasks + _rowBlocks - 1) / _rowBlocks);
    }

    public readonly int Tasks => _rowBlocks * _columnBlocks;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run(int index, int worker)
    {
        int rowBlock = index % _rowBlocks, columnBlock = index / _rowBlocks;
        int row = FirstRow(rowBlock), rows = FirstRow(rowBlock + 1) - row, tiles = (rows + GemmTile.MaxRows - 1) / GemmTile.MaxRows;
        int firstPanel = FirstPanel(columnBlock), lastPanel = FirstPanel(columnBlock + 1);
        nint stride = _a.IsRounded ? _a.Stride / 2 : RoundedStride;
        const int SumCount = GemmTile.MaxRows * Bf16Tile.PanelWidth;
        float* sums = (float*)Workers.Scratch((SumCount + (_a.IsRounded ? 0 : rows * stride)) * sizeof(float));
        float* a = _a.IsRounded ? (float*)((ushort*)_a.Data + (row * _a.Stride)) : Rounded(row, rows, sums + SumCount);
        for (int tile = 0; tile < tiles; tile++)
        {
            int offset = GemmPack.TileRow(tile, tiles, rows), count = GemmPack.TileRow(tile + 1, tiles, rows) - offset;
            for (int panel = firstPanel; panel < lastPanel; panel++)
            {
                TileJob job = new() { Steps = (_k + 1) / 2, A = a + (offset * stride), ARowStride = stride, B = _panels + (panel * _panelFloats) };
                if (_c.IsRounded) ComputeRounded(ref job, row + offset, count, panel * Bf16Tile.PanelWidth, sums);
                else Compute(ref job, row + offset, count, panel * Bf16Tile.PanelWidth, sums);
            }
        }
    }

    private readonly int FirstRow(int block) => Math.Min(_m, (int)((long)_tiles * block / _rowBlocks) * GemmTile.MaxRows);

    private readonly int FirstPanel(int block) => (int)((long)_panelCount * block / _columnBlocks);

    /// <summary>Pairs from a rounded row to the next: whole cache lines, an odd number of them so that rows do not fall into the same set.</summary>
    private readonly nint RoundedStride => ((nint)_k + 31) / 32 * 16 | 16;

    private readonly float* Rounded(int row, int rows, float* pairs)
    {
        for (int i = 0; i < rows; i++)
            Bf16Operand.Round((float*)_a.Data + ((row + i) * _a.Stride), _k, (ushort*)(pairs + (i * RoundedStride)));
        return pairs;
    }

    private readonly void Compute(ref TileJob job, int row, int rows, int column, float* sums)
    {
        _output.Place(ref job, row, column, Bf16Tile.PanelWidth, sums, first: true);
        _output.PlaceLast(ref job, row, rows, column, Bf16Tile.PanelWidth);
        Bf16Tile.Run(rows, ref job);
        _output.Finish<F512>(in job, row, rows, column);
    }

    private readonly void ComputeRounded(ref TileJob job, int row, int rows, int column, float* sums)
    {
        job.C = sums;
        job.CRowStride = Bf16Tile.PanelWidth;
        Bf16Tile.Run(rows, ref job);
        SumTile tile = new()
        {
            Sums = sums,
            SumStride = Bf16Tile.PanelWidth,
            C = sums - column,
            CStride = Bf16Tile.PanelWidth,
            Column = column,
            Rows = rows,
            Columns = Math.Min(Bf16Tile.PanelWidth, _n - column),
        };
        GemmEpilogue.Apply<F512>(in _epilogue, in tile);
        ushort* c = (ushort*)_c.Data + (row * _c.Stride) + column;
        for (int i = 0; i < rows; i++) BFloat16.FromSingles(sums + (i * Bf16Tile.PanelWidth), c + (i * _c.Stride), tile.Columns);
    }
}
