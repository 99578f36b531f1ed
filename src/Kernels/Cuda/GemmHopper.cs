using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Kernels.Cuda;

/// <summary>
/// Matrix products with the instructions that only GPUs of compute capability 9.0 (H100, H200) have: copies of tiles by the tensor
/// memory accelerator and products of 128 threads (wgmma).
/// </summary>
/// <remarks>
/// In bfloat16 and float16 the left operand may be float32 in memory, and is then rounded inside the kernel; the right one, a weight, is rounded before
/// (<see cref="Pack"/>), once where it does not change. In TF32 both are read as they are.
/// </remarks>
public static unsafe class GemmHopper
{
    /// <summary>
    /// Rows from which it pays to pack the right operand for one product alone: packing moves 6 bytes per number of the weight, as
    /// much as a product with a row of tiles reads of it.
    /// </summary>
    private const int RowsWorthPacking = 256;

    private const int TileRows = HopperKernels.TileRows, RowBytes = HopperKernels.RowBytes, PackTile = 32, PackThreads = 256;

    private static readonly HopperKernels s_roundedToBf16 = new("GemmHopper.cu", "gemm_hopper", "-DPRODUCT_TYPE=bf16", "-DIS_ROUNDED=true");
    private static readonly HopperKernels s_roundedToF16 = new("GemmHopper.cu", "gemm_hopper", "-DPRODUCT_TYPE=f16", "-DIS_ROUNDED=true");
    private static readonly HopperKernels s_bf16 = new("GemmHopper.cu", "gemm_hopper", "-DPRODUCT_TYPE=bf16", "-DIS_ROUNDED=false");
    private static readonly HopperKernels s_bf16ToBf16 = new("GemmHopper.cu", "gemm_hopper", "-DPRODUCT_TYPE=bf16", "-DIS_ROUNDED=false", "-DRESULT=bf16");
    private static readonly HopperKernels s_f16 = new("GemmHopper.cu", "gemm_hopper", "-DPRODUCT_TYPE=f16", "-DIS_ROUNDED=false");
    private static readonly HopperKernels s_f16ToF16 = new("GemmHopper.cu", "gemm_hopper", "-DPRODUCT_TYPE=f16", "-DIS_ROUNDED=false", "-DRESULT=f16");
    private static readonly HopperKernels s_tf32 = new("GemmHopper.cu", "gemm_hopper", "-DPRODUCT_TYPE=float", "-DIS_ROUNDED=false");
    private static readonly CudaKernel s_packBf16 = new("GemmPack.cu", "gemm_pack", "-DPRODUCT_TYPE=bf16");
    private static readonly CudaKernel s_packF16 = new("GemmPack.cu", "gemm_pack", "-DPRODUCT_TYPE=f16");

    /// <summary>Whether a device has the instructions.</summary>
    public static bool IsAvailable(CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return HopperKernels.RunOn(device);
    }

    /// <summary>Whether <see cref="Gemm.Run"/> can use a packed right operand for products of a precision.</summary>
    public static bool TakesPacked(CudaDevice device, ProductPrecision precision) => IsAvailable(device) && IsHalf(precision);

    /// <summary>The bytes that <see cref="Pack"/> writes for a right operand [k, n].</summary>
    public static long PackedBytes(int k, int n) => (long)n * RowOf(k) * sizeof(ushort);

    /// <summary>Rounds a right operand [k, n] to 16 bits in the order that <see cref="Gemm.Run"/> or <see cref="Gemm.RunRounded"/> takes as packed.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="b">[k, n], any strides.</param>
    /// <param name="k">Its rows.</param>
    /// <param name="n">Its columns.</param>
    /// <param name="packed"><see cref="PackedBytes"/> bytes of the device's memory, 16-byte aligned.</param>
    /// <param name="precision">BFloat16 or Float16.</param>
    /// <param name="forRounded">For left operands that are stored in 16 bits, not in float32.</param>
    public static void Pack(CudaStream stream, Matrix b, int k, int n, void* packed, ProductPrecision precision, bool forRounded = false) =>
        PackTaps(stream, b, 0, 1, k, RowOf(k), n, packed, precision, forRounded);

    /// <summary>C[m, n] = A[m, k] · Bᵀ[n, k]ᵀ of bfloat16 matrices, with sums and C in float32.</summary>
    /// <param name="stream">Where it runs; its device has the instructions.</param>
    /// <param name="m">Rows of A and C.</param>
    /// <param name="n">Rows of B and columns of C, even.</param>
    /// <param name="k">Columns of A and B, a multiple of 8.</param>
    /// <param name="a">[m, k] in bfloat16, 16-byte aligned.</param>
    /// <param name="b">[n, k] in bfloat16, 16-byte aligned.</param>
    /// <param name="c">[m, n].</param>
    /// <exception cref="ArgumentException">The device or the sizes are not as above.</exception>
    public static void RunBf16(CudaStream stream, int m, int n, int k, void* a, void* b, float* c)
    {
        ArgumentNullException.ThrowIfNull(stream);
        Gemm.Product product = new() { C = c, CRow = n, M = m, N = n, K = k };
        if (!IsAvailable(stream.Device) || Math.Min(m, Math.Min(n, k)) < 1 || k % 8 != 0 || !CanStore(product))
            throw new ArgumentException($"a bfloat16 product {m} x {n} x {k} on {stream.Device} needs compute capability 9.0, k a multiple of 8 and n even");
        product.A = a;
        product.ARow = k;
        RunStored(s_bf16, stream, product, b, k, DType.BF16);
    }

    /// <summary>Runs a product if the device has the instructions and copies of tiles can take its operands.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="product">The product.</param>
    /// <param name="precision">To what the operands are rounded.</param>
    /// <param name="packed">B as <see cref="Pack"/> made it, or null.</param>
    /// <returns>Whether it is done.</returns>
    internal static bool TryRun(CudaStream stream, in Gemm.Product product, ProductPrecision precision, void* packed)
    {
        if (!HopperKernels.RunOn(stream.Device) || product.M == 0 || product.N == 0 || product.K == 0 || !CanStore(product) || !CanCopy((float*)product.A, product.ARow, product.AColumn)) return false;
        if (precision == ProductPrecision.Tf32 && CanCopy(product.B, product.BColumn, product.BRow)) return RunTf32(stream, product);
        if (!IsHalf(precision)) return false;
        if (packed is not null) return RunPacked(stream, product, packed, precision);
        if (product.M < RowsWorthPacking) return false;
        using CudaScratch scratch = new(stream, PackedBytes(product.K, product.N));
        Pack(stream, new Matrix(product.B, (nint)product.BRow, (nint)product.BColumn), product.K, product.N, scratch.Address, precision);
        return RunPacked(stream, product, scratch.Address, precision);
    }

    /// <summary>The same for a left operand that is stored in 16 bits.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="product">The product; A of the type of <paramref name="precision"/> with rows side by side.</param>
    /// <param name="precision">BFloat16 or Float16.</param>
    /// <param name="roundsResult">Whether C is rounded too.</param>
    /// <param name="packed">B as <see cref="Pack"/> made it for that, or null.</param>
    /// <returns>Whether it is done.</returns>
    internal static bool TryRunRounded(CudaStream stream, in Gemm.Product product, ProductPrecision precision, bool roundsResult, void* packed)
    {
        if (!HopperKernels.RunOn(stream.Device) || product.M == 0 || product.N == 0 || product.K == 0 || product.K % 8 != 0 || (long)product.A % 16 != 0 || !CanStore(product)) return false;
        HopperKernels kernels = precision == ProductPrecision.Float16 ? roundsResult ? s_f16ToF16 : s_f16 : roundsResult ? s_bf16ToBf16 : s_bf16;
        if (packed is not null) return RunStored(kernels, stream, product, packed, RowOf(product.K), HalfOf(precision));
        if (product.M < RowsWorthPacking) return false;
        using CudaScratch scratch = new(stream, PackedBytes(product.K, product.N));
        Pack(stream, new Matrix(product.B, (nint)product.BRow, (nint)product.BColumn), product.K, product.N, scratch.Address, precision, forRounded: true);
        return RunStored(kernels, stream, product, scratch.Address, RowOf(product.K), HalfOf(precision));
    }

    /// <summary>Packs a right operand of several taps, packed[n, taps, row] with row at least k and a multiple of 32; b is that of the first tap.</summary>
    internal static void PackTaps(CudaStream stream, Matrix b, long tapStride, int taps, int k, int row, int n, void* packed, ProductPrecision precision, bool forRounded = false) =>
        (precision == ProductPrecision.Float16 ? s_packF16 : s_packBf16).Launch(stream, new Grid(row / PackTile, (n + PackTile - 1) / PackTile, taps), PackThreads, 0, b.Data, (long)b.RowStride, (long)b.ColumnStride, tapStride, k, n, forRounded ? 0 : 1, packed);

    /// <summary>Whether operands are rounded to 16 bits.</summary>
    internal static bool IsHalf(ProductPrecision precision) => precision is ProductPrecision.BFloat16 or ProductPrecision.Float16;

    /// <summary>The type of rounded operands.</summary>
    internal static DType HalfOf(ProductPrecision precision) => precision == ProductPrecision.Float16 ? DType.F16 : DType.BF16;

    /// <summary>Pairs of numbers of C are written at once.</summary>
    internal static bool CanStore(in Gemm.Product product)
    {
        long places = (long)product.C | (long)product.Residual | (long)product.PreActivation;
        return places % (2 * sizeof(float)) == 0 && product.N % 2 == 0 && product.CRow % 2 == 0 && (product.Residual is null || product.ResidualRow % 2 == 0);
    }

    private static bool RunPacked(CudaStream stream, in Gemm.Product product, void* packed, ProductPrecision precision)
    {
        int columns = HopperKernels.ColumnsOf(stream.Device, RowsOfTiles(product.M), product.N), row = RowOf(product.K);
        TensorMap left = TensorMap.Of(product.A, DType.F32, product.M, product.K, product.ARow * sizeof(float), TileRows, RowBytes / sizeof(float));
        TensorMap right = TensorMap.Of(packed, HalfOf(precision), product.N, row, (long)row * sizeof(ushort), columns, RowBytes / sizeof(ushort));
        return Launch(precision == ProductPrecision.Float16 ? s_roundedToF16 : s_roundedToBf16, stream, columns, left, right, product);
    }

    /// <summary>Both operands are stored in a 16-bit type, B^T with rows of so many numbers.</summary>
    private static bool RunStored(HopperKernels kernels, CudaStream stream, in Gemm.Product product, void* b, int row, DType type)
    {
        int columns = HopperKernels.ColumnsOf(stream.Device, RowsOfTiles(product.M), product.N), depth = RowBytes / sizeof(ushort);
        TensorMap left = TensorMap.Of(product.A, type, product.M, product.K, product.ARow * sizeof(ushort), TileRows, depth);
        TensorMap right = TensorMap.Of(b, type, product.N, row, (long)row * sizeof(ushort), columns, depth);
        return Launch(kernels, stream, columns, left, right, product);
    }

    private static bool RunTf32(CudaStream stream, in Gemm.Product product)
    {
        int columns = HopperKernels.ColumnsOf(stream.Device, RowsOfTiles(product.M), product.N), depth = RowBytes / sizeof(float);
        TensorMap left = TensorMap.Of(product.A, DType.F32, product.M, product.K, product.ARow * sizeof(float), TileRows, depth);
        TensorMap right = TensorMap.Of(product.B, DType.F32, product.N, product.K, product.BColumn * sizeof(float), columns, depth);
        return Launch(s_tf32, stream, columns, left, right, product);
    }

    private static bool Launch(HopperKernels kernels, CudaStream stream, int columns, TensorMap left, TensorMap right, Gemm.Product product)
    {
        kernels.Launch(stream, columns, product.Activation, RowsOfTiles(product.M), product.N, KernelArgument.ByValue(&left), KernelArgument.ByValue(&right), KernelArgument.ByValue(&product));
        return true;
    }

    /// <summary>Whether rows of float32 numbers can be copied as tiles.</summary>
    private static bool CanCopy(float* data, long row, long column) => column == 1 && (long)data % 16 == 0 && row * sizeof(float) % 16 == 0;

    private static int RowsOfTiles(int m) => (m + TileRows - 1) / TileRows;

    private static int RowOf(int k) => (k + PackTile - 1) / PackTile * PackTile;
}
