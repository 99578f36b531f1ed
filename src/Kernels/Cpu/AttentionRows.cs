using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>Moves one head's part of a token between the picture and the packed matrices of attention.</summary>
internal static unsafe class AttentionRows
{
    /// <summary>The smallest multiple of the vector width that is not below <paramref name="count"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Pad<V>(int count)
        where V : struct, ISimd<V> => (count + V.Width - 1) / V.Width * V.Width;

    /// <summary>Copies <paramref name="count"/> values times <paramref name="factor"/>; writes nothing behind them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale<V>(float* source, float factor, float* destination, int count)
        where V : struct, ISimd<V>
    {
        int i = 0;
        for (; i <= count - V.Width; i += V.Width) V.Store(V.Load(source + i) * V.Broadcast(factor), destination + i);
        for (; i < count; i++) destination[i] = source[i] * factor;
    }

    /// <summary>Copies <paramref name="count"/> values times <paramref name="factor"/> and fills up to <paramref name="padded"/> with zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ScalePadded<V>(float* source, float factor, float* destination, int count, int padded)
        where V : struct, ISimd<V>
    {
        Scale<V>(source, factor, destination, count);
        for (int i = count; i < padded; i++) destination[i] = 0f;
    }

    /// <summary>Copies <paramref name="count"/> values and fills up to <paramref name="padded"/> with zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void CopyPadded<V>(float* source, float* destination, int count, int padded)
        where V : struct, ISimd<V>
    {
        int i = 0;
        for (; i <= count - V.Width; i += V.Width) V.Store(V.Load(source + i), destination + i);
        for (; i < count; i++) destination[i] = source[i];
        for (; i < padded; i++) destination[i] = 0f;
    }

    /// <summary>Asks for the cache line at <paramref name="address"/>, which need not be readable, where the processor can be asked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(float* address)
    {
        if (Sse.IsSupported) Sse.Prefetch1(address);
    }

    /// <summary>The start of the next buffer behind <paramref name="count"/> floats at <paramref name="start"/>, on a cache line like it.</summary>
    public static float* After(float* start, nint count) => start + (count + 15) / 16 * 16;
}
