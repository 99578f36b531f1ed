using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Products of float32 matrices in a GPU's memory: C = activation(A · B + bias) + residual (+ old C). Any strides, any sizes.</summary>
public static unsafe class Gemm
{
    private static readonly ProductKernels s_kernels = new("Gemm.cu", "gemm");

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
    public static void Run(CudaStream stream, int m, int n, int k, Matrix a, Matrix b, float* c, nint cStride, in Epilogue epilogue, ProductPrecision precision = ProductPrecision.Float32)
    {
        Product product = new()
        {
            A = a.Data,
            ARow = a.RowStride,
            AColumn = a.ColumnStride,
            B = b.Data,
            BRow = b.RowStride,
            BColumn = b.ColumnStride,
            C = c,
            CRow = cStride,
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
        const int Tile = ProductKernels.Tile;
        s_kernels.Launch(stream, precision, new Grid((m + Tile - 1) / Tile, (n + Tile - 1) / Tile), KernelArgument.ByValue(&product));
    }

    /// <summary>The arguments as Gemm.cuh declares them.</summary>
    private struct Product
    {
        public float* A;
        public long ARow, AColumn;
        public float* B;
        public long BRow, BColumn;
        public float* C;
        public long CRow;
        public float* Bias, Residual;
        public long ResidualRow;
        public float* PreActivation;
        public int M, N, K, Activation, Accumulate;
    }
}
