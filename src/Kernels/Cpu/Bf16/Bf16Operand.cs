namespace Lavt.Kernels.Cpu;

/// <summary>An operand of <see cref="Bf16Gemm"/>: rows of numbers with adjacent columns, float32 or bfloat16.</summary>
public readonly unsafe struct Bf16Operand
{
    /// <summary>Rows of float32.</summary>
    /// <param name="data">The first row.</param>
    /// <param name="stride">From a row to the next, in numbers.</param>
    public Bf16Operand(float* data, nint stride)
    {
        Data = data;
        Stride = stride;
    }

    /// <summary>Rows of bfloat16.</summary>
    /// <inheritdoc cref="Bf16Operand(float*, nint)"/>
    public Bf16Operand(ushort* data, nint stride)
    {
        Data = data;
        Stride = stride;
        IsRounded = true;
    }

    /// <summary>The first row.</summary>
    public void* Data { get; }

    /// <summary>From a row to the next, in numbers.</summary>
    public nint Stride { get; }

    /// <summary>Whether the numbers are bfloat16.</summary>
    public bool IsRounded { get; }

    /// <summary>Rounds a row of <paramref name="count"/> numbers to whole pairs; where a number is missing there is a zero.</summary>
    internal static void Round(float* source, int count, ushort* pairs)
    {
        BFloat16.FromSingles(source, pairs, count);
        if (count % 2 != 0) pairs[count] = 0;
    }
}
