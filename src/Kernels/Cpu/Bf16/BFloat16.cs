using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Lavt.Kernels.Cpu;

/// <summary>bfloat16 numbers: the upper half of float32, held as <see cref="ushort"/>, for .NET has no type for them.</summary>
public static unsafe class BFloat16
{
    private const uint Infinity = 0x7f800000;
    private const uint Magnitude = 0x7fffffff;
    private const uint Quiet = 0x40;

    /// <summary>The nearest bfloat16, ties to even; NaN stays NaN.</summary>
    public static ushort FromSingle(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value), upper = bits >> 16;
        return (ushort)((bits & Magnitude) > Infinity ? upper | Quiet : (bits + 0x7fff + (upper & 1)) >> 16);
    }

    /// <summary>The same number as float32.</summary>
    public static float ToSingle(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);

    /// <summary>Rounds <paramref name="count"/> numbers as <see cref="FromSingle"/> does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void FromSingles(float* source, ushort* destination, nint count)
    {
        nint i = 0;
        for (; i <= count - 32; i += 32)
        {
            Vector512<uint> low = Upper(Vector512.Load((uint*)source + i)), high = Upper(Vector512.Load((uint*)source + i + 16));
            Vector512.Narrow(low, high).Store(destination + i);
        }
        for (; i < count; i++) destination[i] = FromSingle(source[i]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<uint> Upper(Vector512<uint> bits)
    {
        Vector512<uint> upper = bits >> 16;
        Vector512<uint> rounded = (bits + Vector512.Create(0x7fffu) + (upper & Vector512<uint>.One)) >> 16;
        Vector512<uint> isNaN = Vector512.GreaterThan(bits & Vector512.Create(Magnitude), Vector512.Create(Infinity));
        return Vector512.ConditionalSelect(isNaN, upper | Vector512.Create(Quiet), rounded);
    }
}
