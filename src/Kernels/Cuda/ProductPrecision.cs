using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>To what the operands of a matrix product are rounded; sums are float32 always.</summary>
public enum ProductPrecision
{
    /// <summary>Not at all: float32 on the ordinary units.</summary>
    Float32,

    /// <summary>10 bits of mantissa, on the matrix units.</summary>
    Tf32,

    /// <summary>bfloat16, on the matrix units.</summary>
    BFloat16,

    /// <summary>float16, on the matrix units; what is above 65504 becomes infinite.</summary>
    Float16,
}

/// <summary>A kernel of products in its four forms, PRODUCT_KERNELS of GemmTile.cuh.</summary>
internal sealed class ProductKernels(string file, string name)
{
    /// <summary>Rows and columns of the part of a product that a block computes.</summary>
    public const int Tile = 64;

    /// <summary>In the order of <see cref="ProductPrecision"/>.</summary>
    private readonly CudaKernel[] _kernels = [new(file, name + "_float"), new(file, name + "_tf32"), new(file, name + "_bf16"), new(file, name + "_f16")];

    /// <summary>Launches the form for a precision.</summary>
    public void Launch(CudaStream stream, ProductPrecision precision, Grid grid, params ReadOnlySpan<KernelArgument> arguments) =>
        _kernels[(int)precision].Launch(stream, grid, ThreadsOf(precision), 0, arguments);

    /// <summary>Threads of a block.</summary>
    public static int ThreadsOf(ProductPrecision precision) => precision == ProductPrecision.Float32 ? 256 : 128;
}
