using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// C = activation(A · B + bias) + residual for linear layers, with A and B rounded to bfloat16 (to nearest, ties to even)
/// and float32 sums: twice as fast as <see cref="Gemm"/> where the processor has the instruction (AVX512-BF16).
/// </summary>
/// <remarks>
/// Rounding costs about 2e-3 of each product's size, hundreds of times float32's own error. The same shape gives the same
/// bits on any number of workers.
/// </remarks>
public static unsafe class Bf16Gemm
{
    /// <summary>Why this machine has no products of bfloat16, or null if it has them. The first call prepares them.</summary>
    public static string? Missing => Bf16Tile.Missing;

    /// <summary>C[m, n] = activation(A[m, k] · B[k, n] + bias) + residual.</summary>
    /// <param name="m">Rows of A and C.</param>
    /// <param name="a">[m, k]; where it is float32 it is rounded; bfloat16 only where k is even.</param>
    /// <param name="b">[k, n].</param>
    /// <param name="c">[m, n]; where it is bfloat16 the finished numbers are rounded. Must not overlap A.</param>
    /// <param name="epilogue">What becomes of the product; with a bfloat16 C only bias and activation.</param>
    /// <exception cref="ArgumentException">A is bfloat16 and k odd, or C is bfloat16 and the epilogue needs more of it.</exception>
    public static void Run(int m, in Bf16Operand a, PackedBf16Matrix b, in Bf16Operand c, in Epilogue epilogue)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(m);
        if (a.IsRounded && b.Rows % 2 != 0)
            throw new ArgumentException($"rows of {b.Rows} bfloat16 numbers do not consist of pairs; give float32", nameof(a));
        if (c.IsRounded && (epilogue.Residual != null || epilogue.PreActivation != null || epilogue.Accumulate))
            throw new ArgumentException("a bfloat16 result takes a bias and an activation only; ask for float32", nameof(c));
        if (m == 0 || b.Columns == 0) return;
        Bf16Loop loop = new(m, in a, b, in c, in epilogue);
        Workers.Current.For(loop.Tasks, ref loop);
        GC.KeepAlive(b);
    }

    /// <summary>Stops what needs products of bfloat16 where there are none.</summary>
    /// <exception cref="PlatformNotSupportedException">This machine has none.</exception>
    public static void ThrowIfMissing()
    {
        if (Missing is { } why) throw new PlatformNotSupportedException($"products of bfloat16 are not available: {why}; compute in float32");
    }
}

