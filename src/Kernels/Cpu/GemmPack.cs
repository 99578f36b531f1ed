using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>Copies operands into the order in which the microkernel reads them.</summary>
internal static unsafe class GemmPack
{
    /// <summary>Floats between tiles or panels, so that steps of all of them do not fall into the same set of a cache.</summary>
    private const int Gap = 16;

    /// <summary>How far ahead rows are called for: short pieces of long rows are not what processors foresee.</summary>
    private const int StepsAhead = 16;

    /// <summary>Floats from a packed panel to the next.</summary>
    public static nint PanelFloats<V>(nint steps)
        where V : struct, ISimd<V> => (steps * GemmTile.PanelWidth<V>()) + Gap;

    /// <summary>Floats from a packed tile to the next.</summary>
    public static nint TileFloats<V>(nint steps)
        where V : struct, ISimd<V> => (steps * TileStep<V>()) + Gap;

    /// <summary>
    /// Packs <paramref name="panels"/> panels of columns of B as [steps, panel width], <see cref="PanelFloats"/> apart;
    /// columns that B does not have become zero.
    /// </summary>
    public static void PanelsOfB<V>(
        float* b, nint rowStride, nint columnStride, nint steps, nint columns, int panels, float* destination)
        where V : struct, ISimd<V>
    {
        int width = GemmTile.PanelWidth<V>(), whole = columnStride == 1 ? (int)Math.Min(panels, columns / width) : 0;
        nint panelFloats = PanelFloats<V>(steps);
        CopyPanels<V>(b, rowStride, steps, whole, destination, panelFloats);
        for (int panel = whole; panel < panels; panel++)
        {
            float* source = b + (panel * width * columnStride);
            PanelOfB<V>(source, rowStride, columnStride, steps, columns - (panel * width), destination + (panel * panelFloats));
        }
    }

    /// <summary>
    /// Packs <paramref name="steps"/> rows of up to one panel of columns of B as [steps, panel width]; columns that B does
    /// not have become zero.
    /// </summary>
    public static void PanelOfB<V>(float* b, nint rowStride, nint columnStride, nint steps, nint columns, float* destination)
        where V : struct, ISimd<V>
    {
        int width = GemmTile.PanelWidth<V>();
        if (columnStride == 1 && columns >= width)
        {
            CopyPanels<V>(b, rowStride, steps, 1, destination, 0);
            return;
        }
        if (columns < width) new Span<float>(destination, checked((int)(steps * width))).Clear();
        columns = Math.Min(columns, width);
        if (rowStride == 1) Transpose.Run(b, columnStride, destination, width, columns, steps);
        else CopyElements(b, rowStride, columnStride, steps, columns, destination, width);
    }

    /// <summary>Floats from a step of a packed tile of A to the next: the rows of a tile rounded up to whole vectors.</summary>
    public static int TileStep<V>()
        where V : struct, ISimd<V> => (GemmTile.RowsFor<V>() + V.Width - 1) / V.Width * V.Width;

    /// <summary>The first of <paramref name="rows"/> rows that belongs to a tile; remainders are spread evenly.</summary>
    public static int TileRow(int tile, int tiles, int rows) => (int)((long)rows * tile / tiles);

    /// <summary>
    /// Packs <paramref name="rows"/> rows of A as tiles of [steps, <see cref="TileStep"/>], <see cref="TileFloats"/> apart, so
    /// that each step of a tile is contiguous.
    /// </summary>
    /// <param name="a">The first row and step.</param>
    /// <param name="rowStride">From a row to the next.</param>
    /// <param name="stepStride">From a step to the next.</param>
    /// <param name="rows">The rows to pack.</param>
    /// <param name="tiles">The tiles that share them.</param>
    /// <param name="readableRows">The rows that A has from the first one on.</param>
    /// <param name="steps">The steps to pack.</param>
    /// <param name="destination">The tiles.</param>
    public static void TilesOfA<V>(
        float* a, nint rowStride, nint stepStride, int rows, int tiles, nint readableRows, nint steps, float* destination)
        where V : struct, ISimd<V>
    {
        int tileStep = TileStep<V>(), whole = rowStride == 1 ? tiles : 0;
        while (whole > 0 && TileRow(whole - 1, tiles, rows) + tileStep > readableRows) whole--;
        nint tileFloats = TileFloats<V>(steps);
        CopyTiles<V>(a, stepStride, rows, tiles, whole, steps, destination, tileFloats);
        for (int tile = whole; tile < tiles; tile++)
        {
            int row = TileRow(tile, tiles, rows), end = TileRow(tile + 1, tiles, rows);
            CopyElements(a + (row * rowStride), stepStride, rowStride, steps, end - row, destination + (tile * tileFloats), tileStep);
        }
    }

    /// <summary>Whole panels, row by row, in the order in which the source lies.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyPanels<V>(float* source, nint stride, nint rows, int panels, float* destination, nint panelFloats)
        where V : struct, ISimd<V>
    {
        for (nint i = 0; i < rows; i++, source += stride, destination += 2 * V.Width)
        {
            float* from = source, to = destination;
            for (int panel = 0; panel < panels; panel++, from += 2 * V.Width, to += panelFloats)
            {
                if (Sse.IsSupported)
                {
                    Sse.Prefetch0(from + (StepsAhead * stride));
                    Sse.Prefetch0(from + (StepsAhead * stride) + V.Width);
                }
                V.Store(V.Load(from), to);
                V.Store(V.Load(from + V.Width), to + V.Width);
            }
        }
    }

    /// <summary>Whole tiles, step by step, in the order in which the source lies; copies a little of the next tile too.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyTiles<V>(
        float* source, nint stride, int rows, int tiles, int whole, nint steps, float* destination, nint tileFloats)
        where V : struct, ISimd<V>
    {
        int tileStep = TileStep<V>();
        nint* firstRow = stackalloc nint[whole];
        for (int tile = 0; tile < whole; tile++) firstRow[tile] = TileRow(tile, tiles, rows);
        for (nint i = 0; i < steps; i++, source += stride, destination += tileStep)
        {
            float* to = destination;
            for (int tile = 0; tile < whole; tile++, to += tileFloats)
            {
                if (Sse.IsSupported) Sse.Prefetch0(source + firstRow[tile] + (StepsAhead * stride));
                for (nint j = 0; j < tileStep; j += V.Width) V.Store(V.Load(source + firstRow[tile] + j), to + j);
            }
        }
    }

    private static void CopyElements(
        float* source, nint rowStride, nint columnStride, nint rows, nint columns, float* destination, nint destinationStride)
    {
        for (nint i = 0; i < rows; i++)
            for (nint j = 0; j < columns; j++)
                destination[(i * destinationStride) + j] = source[(i * rowStride) + (j * columnStride)];
    }
}
