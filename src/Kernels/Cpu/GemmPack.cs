using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>Copies operands into the order in which the microkernel reads them.</summary>
internal static unsafe class GemmPack
{
    /// <summary>
    /// Steps packed at once for all tiles or panels, so that the source is read nearly in the order in which it lies.
    /// </summary>
    private const int StepsAtOnce = 32;

    /// <summary>
    /// Packs <paramref name="panels"/> panels of columns of B, each as [steps, panel width]; columns that B does not have
    /// become zero.
    /// </summary>
    public static void PanelsOfB<V>(
        float* b, nint rowStride, nint columnStride, nint steps, nint columns, int panels, float* destination)
        where V : struct, ISimd<V>
    {
        int width = GemmTile.PanelWidth<V>();
        for (nint step = 0; step < steps; step += StepsAtOnce)
        {
            nint count = Math.Min(StepsAtOnce, steps - step);
            for (int panel = 0; panel < panels; panel++)
            {
                float* source = b + (step * rowStride) + (panel * width * columnStride);
                PanelOfB<V>(source, rowStride, columnStride, count, columns - (panel * width), destination + (((panel * steps) + step) * width));
            }
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
            CopyRows<V>(b, rowStride, steps, destination);
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
    /// Packs <paramref name="rows"/> rows of A as tiles of [steps, <see cref="TileStep"/>], so that each step of a tile is
    /// contiguous.
    /// </summary>
    /// <param name="a">The first row and step.</param>
    /// <param name="rowStride">From a row to the next.</param>
    /// <param name="stepStride">From a step to the next.</param>
    /// <param name="rows">The rows to pack.</param>
    /// <param name="tiles">The tiles that share them.</param>
    /// <param name="readableRows">The rows that A has from the first one on.</param>
    /// <param name="steps">The steps to pack.</param>
    /// <param name="destination">[tiles, steps, tile step].</param>
    public static void TilesOfA<V>(
        float* a, nint rowStride, nint stepStride, int rows, int tiles, nint readableRows, nint steps, float* destination)
        where V : struct, ISimd<V>
    {
        int tileStep = TileStep<V>();
        for (nint step = 0; step < steps; step += StepsAtOnce)
        {
            nint count = Math.Min(StepsAtOnce, steps - step);
            for (int tile = 0; tile < tiles; tile++)
            {
                int row = TileRow(tile, tiles, rows), end = TileRow(tile + 1, tiles, rows);
                float* source = a + (row * rowStride) + (step * stepStride), target = destination + (((tile * steps) + step) * tileStep);
                if (rowStride == 1 && row + tileStep <= readableRows) CopyRuns<V>(source, stepStride, count, tileStep, target);
                else CopyElements(source, stepStride, rowStride, count, end - row, target, tileStep);
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyRows<V>(float* source, nint stride, nint rows, float* destination)
        where V : struct, ISimd<V>
    {
        for (nint i = 0; i < rows; i++, source += stride, destination += 2 * V.Width)
        {
            V.Store(V.Load(source), destination);
            V.Store(V.Load(source + V.Width), destination + V.Width);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void CopyRuns<V>(float* source, nint stride, nint runs, nint length, float* destination)
        where V : struct, ISimd<V>
    {
        for (nint i = 0; i < runs; i++, source += stride, destination += length)
            for (nint j = 0; j < length; j += V.Width)
                V.Store(V.Load(source + j), destination + j);
    }

    private static void CopyElements(
        float* source, nint rowStride, nint columnStride, nint rows, nint columns, float* destination, nint destinationStride)
    {
        for (nint i = 0; i < rows; i++)
            for (nint j = 0; j < columns; j++)
                destination[(i * destinationStride) + j] = source[(i * rowStride) + (j * columnStride)];
    }
}
