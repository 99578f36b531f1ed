using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// C = activation(A · B + bias) + residual for linear layers, with A and B rounded to bfloat16 (to nearest, ties to even)
/// and float32 sums: twice as fast as <see cref="Gemm"/> where the processor has the instruction (AVX512-BF16).
/// </summary>
/// <remarks>
/// Rounding costs about 2e-3 of each product's size, hundreds of times float32's own error. The same shape gives the same
/// bits on any number of workers.
/// </remarks>
public static unsafe class Bf16Gemm
{
    /// <summary>Why this machine has no products of bfloat16, or null if it has them. The first call prepares them.</summary>
    public static string? Missing => Bf16Tile.Missing;

    /// <summary>C[m, n] = activation(A[m, k] · B[k, n] + bias) + residual.</summary>
    /// <param name="m">Rows of A and C.</param>
    /// <param name="a">[m, k]; bfloat16 only where k is even.</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n] with adjacent columns; must not overlap A.</param>
    /// <param name="cStride">Floats from a row of C to the next.</param>
    /// <param name="epilogue">What becomes of the product.</param>
    /// <exception cref="ArgumentException">A is bfloat16 and k odd.</exception>
    public static void Run(int m, Bf16Rows a, PackedBf16Matrix b, float* c, nint cStride, in Epilogue epilogue)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(m);
        if (a.IsRounded && b.Rows % 2 != 0) throw new ArgumentException($"rows of {b.Rows} bfloat16 numbers do not consist of pairs; give float32", nameof(a));
        if (m == 0 || b.Columns == 0) return;
        Bf16Loop loop = new(m, a, b, new GemmOutput(c, cStride, b.Columns, in epilogue));
        Workers.Current.For(loop.Tasks, ref loop);
        GC.KeepAlive(b);
    }

    /// <summary>Stops what needs products of bfloat16 where there are none.</summary>
    internal static void ThrowIfMissing()
    {
        if (Missing is { } why) throw new PlatformNotSupportedException($"products of bfloat16 are not available: {why}; compute in float32");
    }
}

/// <summary>The tasks of a product: one block of rows by one block of columns.</summary>
internal unsafe struct Bf16Loop : ILoopBody
{
    private readonly Bf16Rows _a;
    private readonly float* _panels;
    private readonly nint _panelFloats;
    private readonly int _m, _k, _tiles, _panelCount, _rowBlocks, _columnBlocks;
    private GemmOutput _output;

    public static int BlockRows = 120, BlockBytes = 384 << 10, WantedTasks = 16, GroupBytes = 256 << 10;

    public Bf16Loop(int m, Bf16Rows a, PackedBf16Matrix b, in GemmOutput output)
    {
        _a = a;
        _panels = b.Panels;
        _panelFloats = b.PanelFloats;
        _m = m;
        _k = b.Rows;
        _output = output;
        _tiles = (m + GemmTile.MaxRows - 1) / GemmTile.MaxRows;
        _panelCount = b.PanelCount;
        int tilesPerBlock = Math.Clamp(BlockBytes / (Math.Max(1, b.Pairs) * sizeof(float) * GemmTile.MaxRows), 1, BlockRows / GemmTile.MaxRows);
        _rowBlocks = (_tiles + tilesPerBlock - 1) / tilesPerBlock;
        _columnBlocks = Math.Min(_panelCount, (WantedTasks + _rowBlocks - 1) / _rowBlocks);
    }

    public readonly int Tasks => _rowBlocks * _columnBlocks;

    private readonly int FirstRow(int block) => Math.Min(_m, (int)((long)_tiles * block / _rowBlocks) * GemmTile.MaxRows);

    private readonly int FirstPanel(int block) => (int)((long)_panelCount * block / _columnBlocks);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public readonly void Run(int index, int worker)
    {
        int rowBlock = index % _rowBlocks, columnBlock = index / _rowBlocks;
        int row = FirstRow(rowBlock), rows = FirstRow(rowBlock + 1) - row, tiles = (rows + GemmTile.MaxRows - 1) / GemmTile.MaxRows;
        nint stride = ((_k + 31) / 32 * 16) + 16;
        float* sums = (float*)Workers.Scratch((rows * stride + GemmTile.MaxRows * Bf16Tile.PanelWidth) * sizeof(float));
        float* a = sums + GemmTile.MaxRows * Bf16Tile.PanelWidth;
        if (_a.IsRounded)
        {
            a = (float*)((ushort*)_a.Data + row * _a.Stride);
            stride = _a.Stride / 2;
        }
        else
        {
            for (int i = 0; i < rows; i++) Bf16Rows.Round((float*)_a.Data + (row + i) * _a.Stride, _k, (ushort*)(a + i * stride));
        }
        int first = FirstPanel(columnBlock), last = FirstPanel(columnBlock + 1);
        int group = Math.Clamp((int)(GroupBytes / (_panelFloats * sizeof(float))), 1, last - first);
        for (int start = first; start < last; start += group)
            for (int tile = 0; tile < tiles; tile++)
                for (int panel = start; panel < Math.Min(last, start + group); panel++) ComputeTile(panel, tile, tiles, row, rows, a, stride, sums);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private readonly void ComputeTile(int panel, int tile, int tiles, int row, int rows, float* a, nint stride, float* sums)
    {
        int offset = GemmPack.TileRow(tile, tiles, rows), count = GemmPack.TileRow(tile + 1, tiles, rows) - offset;
        int column = panel * Bf16Tile.PanelWidth;
        TileJob job = new() { Steps = (_k + 1) / 2, A = a + (offset * stride), ARowStride = stride, B = _panels + (panel * _panelFloats) };
        _output.Place(ref job, row + offset, column, Bf16Tile.PanelWidth, sums, true);
        Bf16Tile.Run(count, &job);
        _output.Finish<F512>(in job, row + offset, count, column);
    }
}
