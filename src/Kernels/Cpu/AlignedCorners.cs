using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Where an output pixel lies between input pixels when the corners of both pictures coincide: at i · (inputs − 1) / (outputs − 1),
/// found with integers, so that the position is exact for every size.
/// </summary>
internal readonly struct AlignedCorners
{
    /// <summary>The input pixel at or before the output pixel.</summary>
    public readonly int First;

    /// <summary>The input pixel behind it; the same one at the end.</summary>
    public readonly int Second;

    /// <summary>The weight of <see cref="Second"/>, in [0, 1).</summary>
    public readonly float Fraction;

    /// <summary>The position of output pixel <paramref name="i"/> of <paramref name="outputs"/> among <paramref name="inputs"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public AlignedCorners(int i, int inputs, int outputs)
    {
        if (outputs == 1) return;
        (long whole, long rest) = Math.DivRem((long)i * (inputs - 1), outputs - 1);
        First = (int)whole;
        Second = Math.Min(First + 1, inputs - 1);
        Fraction = rest / (float)(outputs - 1);
    }

    /// <summary>The positions of all output pixels.</summary>
    public static unsafe void Fill(AlignedCorners* positions, int inputs, int outputs)
    {
        for (int i = 0; i < outputs; i++) positions[i] = new AlignedCorners(i, inputs, outputs);
    }

    /// <summary>The first output pixel whose <see cref="First"/> is at least <paramref name="input"/>; <paramref name="outputs"/> if there is none.</summary>
    public static int FirstOutputAt(int input, int inputs, int outputs)
    {
        if (input <= 0) return 0;
        if (input > inputs - 1 || outputs == 1) return outputs;
        return (int)(((long)input * (outputs - 1) + inputs - 2) / (inputs - 1));
    }
}
