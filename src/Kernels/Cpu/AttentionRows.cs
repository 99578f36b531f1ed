using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
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

    /// <summary>
    /// Writes four rows of <paramref name="count"/> values, each null for zeros, as four neighbouring columns of a matrix
    /// with rows of <paramref name="stride"/> floats.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void CopyToColumns(float* row0, float* row1, float* row2, float* row3, float* columns, int count, nint stride)
    {
        int i = 0;
        if (row0 != null && row1 != null && row2 != null && row3 != null)
        {
            for (; i <= count - 4; i += 4, columns += 4 * stride)
                Transpose4x4(row0 + i, row1 + i, row2 + i, row3 + i, columns, stride);
        }
        for (; i < count; i++, columns += stride)
        {
            columns[0] = row0 == null ? 0f : row0[i];
            columns[1] = row1 == null ? 0f : row1[i];
            columns[2] = row2 == null ? 0f : row2[i];
            columns[3] = row3 == null ? 0f : row3[i];
        }
    }

    /// <summary>Asks for the cache line at <paramref name="address"/>, which need not be readable, where the processor can be asked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Prefetch(float* address)
    {
        if (Sse.IsSupported) Sse.Prefetch1(address);
    }

    /// <summary>The start of the next buffer behind <paramref name="count"/> floats at <paramref name="start"/>, on a cache line like it.</summary>
    public static float* After(float* start, nint count) => start + (count + 15) / 16 * 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4x4(float* row0, float* row1, float* row2, float* row3, float* columns, nint stride)
    {
        Vector128<float> a = Vector128.Load(row0), b = Vector128.Load(row1), c = Vector128.Load(row2), d = Vector128.Load(row3);
        if (Sse.IsSupported)
        {
            Vector128<float> lowAb = Sse.UnpackLow(a, b), lowCd = Sse.UnpackLow(c, d);
            Vector128<float> highAb = Sse.UnpackHigh(a, b), highCd = Sse.UnpackHigh(c, d);
            Sse.MoveLowToHigh(lowAb, lowCd).Store(columns);
            Sse.MoveHighToLow(lowCd, lowAb).Store(columns + stride);
            Sse.MoveLowToHigh(highAb, highCd).Store(columns + 2 * stride);
            Sse.MoveHighToLow(highCd, highAb).Store(columns + 3 * stride);
            return;
        }
        Vector128.Create(a[0], b[0], c[0], d[0]).Store(columns);
        Vector128.Create(a[1], b[1], c[1], d[1]).Store(columns + stride);
        Vector128.Create(a[2], b[2], c[2], d[2]).Store(columns + 2 * stride);
        Vector128.Create(a[3], b[3], c[3], d[3]).Store(columns + 3 * stride);
    }
}
