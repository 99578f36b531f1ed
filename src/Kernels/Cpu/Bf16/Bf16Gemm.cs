using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// C = activation(A · B + bias) + residual for linear layers, with A and B rounded to bfloat16 (to nearest, ties to even)
/// and float32 sums: almost twice as fast as <see cref="Gemm"/> where the processor has the instruction (AVX512-BF16).
/// </summary>
/// <remarks>
/// Rounding changes a product by about 2e-3 of its size, thousands of times float32's own error. The same shape gives the
/// same bits on any number of workers. C stays float32 in memory: bfloat16 there was tried and gained 1 % at most.
/// </remarks>
public static unsafe class Bf16Gemm
{
    /// <summary>Why this machine has no products of bfloat16, or null if it has them. The first call prepares them, which takes about 25 ms.</summary>
    public static string? Missing => Bf16Tile.Missing;

    /// <summary>C[m, n] = activation(A[m, k] · B[k, n] + bias) + residual (+ old C), with n and k those of <paramref name="b"/>.</summary>
    /// <param name="m">Rows of A and C; 0: nothing is done.</param>
    /// <param name="a">[m, k] with adjacent columns.</param>
    /// <param name="aStride">Floats from a row of A to the next.</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n] with adjacent columns; must not overlap A.</param>
    /// <param name="cStride">Floats from a row of C to the next.</param>
    /// <param name="epilogue">What becomes of the product.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="m"/> is negative.</exception>
    public static void Run(int m, float* a, nint aStride, PackedBf16Matrix b, float* c, nint cStride, in Epilogue epilogue)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(m);
        if (m == 0 || b.Columns == 0) return;
        long bytes = m * Bf16Loop.RowStride(b.Pairs) * sizeof(float);
        nint rounded = HostAllocator.Allocate(bytes);
        try
        {
            RoundLoop round = new() { A = a, Stride = aStride, Rounded = (float*)rounded, RoundedStride = Bf16Loop.RowStride(b.Pairs), Rows = m, Columns = b.Rows };
            Workers.Current.For(round.Pieces, ref round);
            Bf16Loop loop = new(m, (float*)rounded, b, new GemmOutput(c, cStride, b.Columns, in epilogue));
            Workers.Current.For(loop.Tasks, ref loop);
        }
        finally
        {
            HostAllocator.Release(rounded, bytes);
        }
        GC.KeepAlive(b);
    }

    /// <summary>Rounds a row to whole pairs; where a number is missing there is a zero.</summary>
    internal static void Round(float* row, int count, ushort* pairs)
    {
        BFloat16.FromSingles(row, pairs, count);
        if (count % 2 != 0) pairs[count] = 0;
    }

    /// <summary>Stops what needs products of bfloat16 where there are none.</summary>
    /// <exception cref="PlatformNotSupportedException">This machine has none.</exception>
    public static void ThrowIfMissing()
    {
        if (Missing is { } why) throw new PlatformNotSupportedException($"products of bfloat16 are not available: {why}; compute in float32");
    }

    /// <summary>Rounds some rows of A.</summary>
    private struct RoundLoop : ILoopBody
    {
        private const int FloatsPerPiece = 32768;

        public float* A, Rounded;
        public nint Stride, RoundedStride;
        public int Rows, Columns;

        public readonly int Pieces => (Rows + RowsPerPiece - 1) / RowsPerPiece;

        private readonly int RowsPerPiece => Math.Max(1, FloatsPerPiece / Math.Max(1, Columns));

        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Rows, (index + 1) * RowsPerPiece);
            for (int i = index * RowsPerPiece; i < end; i++) Round(A + (i * Stride), Columns, (ushort*)(Rounded + (i * RoundedStride)));
        }

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(RoundLoop), 1.5 * Rows * Columns);
    }
}
