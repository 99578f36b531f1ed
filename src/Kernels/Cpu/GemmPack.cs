using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>Copies operands into the order in which the microkernel reads them.</summary>
internal static unsafe class GemmPack
{
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

    /// <summary>Packs <paramref name="rows"/> rows of A as [steps, rows], so that each step of a tile is contiguous.</summary>
    public static void TileOfA(float* a, nint rowStride, nint stepStride, nint rows, nint steps, float* destination)
    {
        if (rowStride == 1) CopyRuns(a, stepStride, rows, steps, destination);
        else CopyElements(a, stepStride, rowStride, steps, rows, destination, rows);
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
    private static void CopyRuns(float* source, nint stride, nint length, nint runs, float* destination)
    {
        for (nint i = 0; i < runs; i++, source += stride, destination += length)
        {
            nint j = 0;
            for (; j + F128.Width <= length; j += F128.Width) F128.Store(F128.Load(source + j), destination + j);
            for (; j < length; j++) destination[j] = source[j];
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
