using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Many matrix products of equal sizes at once, in float32.</summary>
public static unsafe class MatMul
{
    private const int Tile = 32, Threads = 256;

    private static readonly CudaKernel s_batched = new("MatMul.cu", "matmul_batched");

    /// <summary>y[i] = a[i] · b[i].</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="m">Rows of a and y.</param>
    /// <param name="n">Columns of b and y.</param>
    /// <param name="k">Columns of a and rows of b.</param>
    /// <param name="a">The first [m, k].</param>
    /// <param name="aAt">Where the matrices a lie from there.</param>
    /// <param name="b">The first [k, n].</param>
    /// <param name="bAt">Where the matrices b lie from there; extents as <paramref name="aAt"/>.</param>
    /// <param name="y">[matrices, m, n], dense.</param>
    public static void Run(CudaStream stream, int m, int n, int k, Matrix a, Layout aAt, Matrix b, Layout bAt, float* y)
    {
        Grid grid = new(aAt.Count, (m + Tile - 1) / Tile, (n + Tile - 1) / Tile);
        s_batched.Launch(stream, grid, Threads, 0,
            a.Data, KernelArgument.ByValue(&aAt), (long)a.RowStride, (long)a.ColumnStride, b.Data, KernelArgument.ByValue(&bAt), (long)b.RowStride, (long)b.ColumnStride, y, m, n, k);
    }
}
