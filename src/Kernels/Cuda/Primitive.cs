using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>The few operations that every other one is defined by, on float32 arrays of any strides in a GPU's memory; see <see cref="Cpu.Primitive"/>.</summary>
public static unsafe class Primitive
{
    private const int Threads = 256, WarpsPerBlock = Threads / 32;

    /// <summary>From this many terms on a whole block adds them up.</summary>
    private const int TermsForBlock = 1024;

    private const string File = "Primitive.cu";

    private static readonly CudaKernel s_sumByWarp = new(File, "sum_by_warp");
    private static readonly CudaKernel s_sumByBlock = new(File, "sum_by_block");
    private static readonly CudaKernel s_maxRows = new(File, "max_rows");
    private static readonly CudaKernel[] s_scatter = [.. new[] { 1, 2, 4, 8 }.Select(size => new CudaKernel(File, $"scatter_{size}"))];

    /// <summary>y[i] = f(x[i]); <paramref name="y"/> is dense.</summary>
    public static void Map<TFunction>(CudaStream stream, float* x, Layout layout, float* y)
        where TFunction : struct, IUnaryFunction<float>
    {
        long n = layout.Count;
        Kernel<TFunction>.Map.Launch(stream, Grid.Over(n, Threads), Threads, 0, x, KernelArgument.ByValue(&layout), y, n);
    }

    /// <summary>y[i] = f(a[i], b[i]); the layouts have equal extents, <paramref name="y"/> is dense.</summary>
    public static void Zip<TFunction>(CudaStream stream, float* a, Layout aLayout, float* b, Layout bLayout, float* y)
        where TFunction : struct, IBinaryFunction<float>
    {
        long n = aLayout.Count;
        Kernel<TFunction>.Zip.Launch(stream, Grid.Over(n, Threads), Threads, 0, a, KernelArgument.ByValue(&aLayout), b, KernelArgument.ByValue(&bLayout), y, n);
    }

    /// <summary>Copies x to the places in y that <paramref name="target"/> gives.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="elementBytes">1, 2, 4 or 8.</param>
    /// <param name="x">The source.</param>
    /// <param name="layout">How to walk it.</param>
    /// <param name="y">The target.</param>
    /// <param name="target">How to walk that; equal extents.</param>
    public static void Scatter(CudaStream stream, int elementBytes, void* x, Layout layout, void* y, Layout target)
    {
        long n = layout.Count;
        s_scatter[int.Log2(elementBytes)].Launch(stream, Grid.Over(n, Threads), Threads, 0, x, KernelArgument.ByValue(&layout), y, KernelArgument.ByValue(&target), n);
    }

    /// <summary>Sums each x[i] into the element of the dense y that <paramref name="target"/> gives it (stride 0 along summed axes); y is overwritten.</summary>
    public static void SumInto(CudaStream stream, float* x, in Layout layout, float* y, in Layout target)
    {
        Layout kept = default, summed = default;
        for (int axis = 0; axis < layout.Rank; axis++)
        {
            // An axis of extent 1 has stride 0 too and may stay.
            bool isSummed = target.Strides[axis] == 0 && layout.Extents[axis] != 1;
            Append(ref isSummed ? ref summed : ref kept, layout.Extents[axis], layout.Strides[axis]);
        }
        long outputs = kept.Count, terms = summed.Count;
        if (terms < TermsForBlock)
            s_sumByWarp.Launch(stream, Grid.Over(outputs, WarpsPerBlock), Threads, 0, x, KernelArgument.ByValue(&kept), KernelArgument.ByValue(&summed), y, outputs, terms);
        else
            s_sumByBlock.Launch(stream, outputs, Threads, 0, x, KernelArgument.ByValue(&kept), KernelArgument.ByValue(&summed), y, terms);
    }

    /// <summary>y[r] = max over the last axis of the dense x [rows, columns].</summary>
    public static void MaxRows(CudaStream stream, float* x, long rows, long columns, float* y) =>
        s_maxRows.Launch(stream, Grid.Over(rows, WarpsPerBlock), Threads, 0, x, rows, columns, y);

    private static void Append(ref Layout layout, long extent, long stride)
    {
        layout.Extents[layout.Rank] = extent;
        layout.Strides[layout.Rank] = stride;
        layout.Rank++;
    }

    /// <summary>The kernels of a function, named after its type: AddFunction is zip_add.</summary>
    private static class Kernel<TFunction>
    {
        public static readonly CudaKernel Map = new(File, $"map_{Name}");

        public static readonly CudaKernel Zip = new(File, $"zip_{Name}");

        private static string Name => typeof(TFunction).Name.Split("Function")[0].ToLowerInvariant();
    }
}
