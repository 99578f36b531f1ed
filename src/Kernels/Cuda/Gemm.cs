using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Products of float32 matrices in a GPU's memory: C = activation(A · B + bias) + residual (+ old C). Any strides, any sizes.</summary>
public static unsafe class Gemm
{
    private const string File = "Gemm.cu";
    private const int Tile = ProductKernels.Tile;

    private static readonly ProductKernels s_kernels = new(File, "gemm");
    private static readonly CudaKernel[] s_roundedBf16 = [new(File, "gemm_bf16", "-DLEFT=bf16"), new(File, "gemm_bf16", "-DLEFT=bf16", "-DRESULT=bf16")];
    private static readonly CudaKernel[] s_roundedF16 = [new(File, "gemm_f16", "-DLEFT=f16"), new(File, "gemm_f16", "-DLEFT=f16", "-DRESULT=f16")];

    /// <summary>C[m, n] = activation(A[m, k] · B[k, n] + bias) + residual (+ old C).</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="m">Rows of A and C.</param>
    /// <param name="n">Columns of B and C.</param>
    /// <param name="k">Columns of A and rows of B; 0: the product is zero.</param>
    /// <param name="a">[m, k].</param>
    /// <param name="b">[k, n]; a weight of a linear layer, stored [n, k], is <c>new Matrix(w, 1, k)</c>.</param>
    /// <param name="c">[m, n] with adjacent columns; must not overlap A or B.</param>
    /// <param name="cStride">Floats from a row of C to the next.</param>
    /// <param name="epilogue">What becomes of the product.</param>
    /// <param name="precision">To what the operands are rounded.</param>
    /// <param name="packed">B as <see cref="GemmHopper.Pack"/> made it for this precision; null packs it on the fly where that pays.</param>
    public static void Run(CudaStream stream, int m, int n, int k, Matrix a, Matrix b, float* c, nint cStride, in Epilogue epilogue, ProductPrecision precision = ProductPrecision.Float32, void* packed = null)
    {
        Product product = ProductOf(m, n, k, a.Data, a.RowStride, a.ColumnStride, b, c, cStride, epilogue);
        if (GemmHopper.TryRun(stream, product, precision, packed)) return;
        s_kernels.Launch(stream, precision, GridOf(product), KernelArgument.ByValue(&product));
    }

    /// <summary>
    /// The same where A is stored in the 16-bit type that it is rounded to, and C may be: in inference half the traffic of what
    /// only products read.
    /// </summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="m">Rows of A and C.</param>
    /// <param name="n">Columns of B and C.</param>
    /// <param name="k">Columns of A and rows of B.</param>
    /// <param name="a">[m, k] without gaps, of the type of <paramref name="precision"/>.</param>
    /// <param name="b">[k, n], float32.</param>
    /// <param name="c">[m, n] without gaps: float32, or with <paramref name="roundsResult"/> of the type of A.</param>
    /// <param name="epilogue">What becomes of the product.</param>
    /// <param name="precision">BFloat16 or Float16.</param>
    /// <param name="roundsResult">Whether C is rounded too.</param>
    /// <param name="packed">B as <see cref="GemmHopper.Pack"/> made it for that; null packs it on the fly where that pays.</param>
    public static void RunRounded(CudaStream stream, int m, int n, int k, void* a, Matrix b, void* c, in Epilogue epilogue, ProductPrecision precision, bool roundsResult, void* packed = null)
    {
        Product product = ProductOf(m, n, k, a, k, 1, b, c, n, epilogue);
        if (GemmHopper.TryRunRounded(stream, product, precision, roundsResult, packed)) return;
        CudaKernel[] kernels = precision == ProductPrecision.Float16 ? s_roundedF16 : s_roundedBf16;
        kernels[roundsResult ? 1 : 0].Launch(stream, GridOf(product), ProductKernels.ThreadsOf(precision), 0, KernelArgument.ByValue(&product));
    }

    private static Grid GridOf(in Product product) => new((product.M + Tile - 1) / Tile, (product.N + Tile - 1) / Tile);

    private static Product ProductOf(int m, int n, int k, void* a, nint aRow, nint aColumn, Matrix b, void* c, nint cRow, in Epilogue epilogue) => new()
    {
        A = a,
        ARow = aRow,
        AColumn = aColumn,
        B = b.Data,
        BRow = b.RowStride,
        BColumn = b.ColumnStride,
        C = c,
        CRow = cRow,
        Bias = epilogue.Bias,
        Residual = epilogue.Residual,
        ResidualRow = epilogue.ResidualStride,
        PreActivation = epilogue.PreActivation,
        M = m,
        N = n,
        K = k,
        Activation = (int)epilogue.Activation,
        Accumulate = epilogue.Accumulate ? 1 : 0,
    };

    /// <summary>The arguments as Gemm.cuh declares them.</summary>
    internal struct Product
    {
        public void* A;
        public long ARow, AColumn;
        public float* B;
        public long BRow, BColumn;
        public void* C;
        public long CRow;
        public float* Bias, Residual;
        public long ResidualRow;
        public float* PreActivation;
        public int M, N, K, Activation, Accumulate;
    }
}
