using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>Transposition of float32 matrices through registers.</summary>
internal static unsafe class Transpose
{
    /// <summary>destination[c, r] = source[r, c]; strides are floats from a row to the next.</summary>
    public static void Run(float* source, nint sourceStride, float* destination, nint destinationStride, nint rows, nint columns)
    {
        if (Avx512F.IsSupported) Blocks16(source, sourceStride, destination, destinationStride, rows, columns);
        else Blocks4(source, sourceStride, destination, destinationStride, rows, columns);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Blocks16(float* source, nint sourceStride, float* destination, nint destinationStride, nint rows, nint columns)
    {
        nint wholeRows = rows & ~15, wholeColumns = columns & ~15;
        for (nint c = 0; c < wholeColumns; c += 16)
            for (nint r = 0; r < wholeRows; r += 16)
                Block16(source + (r * sourceStride) + c, sourceStride, destination + (c * destinationStride) + r, destinationStride);
        if (wholeColumns < columns)
            Blocks4(source + wholeColumns, sourceStride, destination + (wholeColumns * destinationStride), destinationStride, rows, columns - wholeColumns);
        if (wholeRows < rows)
            Blocks4(source + (wholeRows * sourceStride), sourceStride, destination + wholeRows, destinationStride, rows - wholeRows, wholeColumns);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Blocks4(float* source, nint sourceStride, float* destination, nint destinationStride, nint rows, nint columns)
    {
        nint wholeRows = Sse.IsSupported ? rows & ~3 : 0, wholeColumns = columns & ~3;
        for (nint c = 0; c < wholeColumns; c += 4)
            for (nint r = 0; r < wholeRows; r += 4)
                Block4(source + (r * sourceStride) + c, sourceStride, destination + (c * destinationStride) + r, destinationStride);
        for (nint r = 0; r < rows; r++)
            for (nint c = r < wholeRows ? wholeColumns : 0; c < columns; c++)
                destination[(c * destinationStride) + r] = source[(r * sourceStride) + c];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Block4(float* s, nint ss, float* d, nint ds)
    {
        Vector128<float> a = Vector128.Load(s), b = Vector128.Load(s + ss);
        Vector128<float> c = Vector128.Load(s + (2 * ss)), e = Vector128.Load(s + (3 * ss));
        Vector128<float> lowAb = Sse.UnpackLow(a, b), highAb = Sse.UnpackHigh(a, b);
        Vector128<float> lowCe = Sse.UnpackLow(c, e), highCe = Sse.UnpackHigh(c, e);
        Sse.MoveLowToHigh(lowAb, lowCe).Store(d);
        Sse.MoveHighToLow(lowCe, lowAb).Store(d + ds);
        Sse.MoveLowToHigh(highAb, highCe).Store(d + (2 * ds));
        Sse.MoveHighToLow(highCe, highAb).Store(d + (3 * ds));
    }

    /// <summary>
    /// A 16 × 16 block: each quarter of four rows is transposed within the 128-bit lanes, then the lanes themselves are.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Block16(float* s, nint ss, float* d, nint ds)
    {
        Quarter(s, ss, out Vector512<float> a0, out Vector512<float> a1, out Vector512<float> a2, out Vector512<float> a3);
        Quarter(s + (4 * ss), ss, out Vector512<float> b0, out Vector512<float> b1, out Vector512<float> b2, out Vector512<float> b3);
        Quarter(s + (8 * ss), ss, out Vector512<float> c0, out Vector512<float> c1, out Vector512<float> c2, out Vector512<float> c3);
        Quarter(s + (12 * ss), ss, out Vector512<float> e0, out Vector512<float> e1, out Vector512<float> e2, out Vector512<float> e3);
        Lanes(a0, b0, c0, e0, d, 4 * ds);
        Lanes(a1, b1, c1, e1, d + ds, 4 * ds);
        Lanes(a2, b2, c2, e2, d + (2 * ds), 4 * ds);
        Lanes(a3, b3, c3, e3, d + (3 * ds), 4 * ds);
    }

    /// <summary>Four rows; afterwards lane L of vector i holds column 4 L + i of the four rows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Quarter(float* s, nint ss, out Vector512<float> v0, out Vector512<float> v1, out Vector512<float> v2, out Vector512<float> v3)
    {
        Vector512<float> a = Vector512.Load(s), b = Vector512.Load(s + ss);
        Vector512<float> c = Vector512.Load(s + (2 * ss)), e = Vector512.Load(s + (3 * ss));
        Vector512<double> lowAb = Avx512F.UnpackLow(a, b).AsDouble(), highAb = Avx512F.UnpackHigh(a, b).AsDouble();
        Vector512<double> lowCe = Avx512F.UnpackLow(c, e).AsDouble(), highCe = Avx512F.UnpackHigh(c, e).AsDouble();
        v0 = Avx512F.UnpackLow(lowAb, lowCe).AsSingle();
        v1 = Avx512F.UnpackHigh(lowAb, lowCe).AsSingle();
        v2 = Avx512F.UnpackLow(highAb, highCe).AsSingle();
        v3 = Avx512F.UnpackHigh(highAb, highCe).AsSingle();
    }

    /// <summary>Stores lane 0 of all four vectors as one row, lane 1 as the row <paramref name="ds"/> further on, and so on.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Lanes(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> e, float* d, nint ds)
    {
        Vector512<float> evenAb = Avx512F.Shuffle4x128(a, b, 0x88), oddAb = Avx512F.Shuffle4x128(a, b, 0xdd);
        Vector512<float> evenCe = Avx512F.Shuffle4x128(c, e, 0x88), oddCe = Avx512F.Shuffle4x128(c, e, 0xdd);
        Avx512F.Shuffle4x128(evenAb, evenCe, 0x88).Store(d);
        Avx512F.Shuffle4x128(oddAb, oddCe, 0x88).Store(d + ds);
        Avx512F.Shuffle4x128(evenAb, evenCe, 0xdd).Store(d + (2 * ds));
        Avx512F.Shuffle4x128(oddAb, oddCe, 0xdd).Store(d + (3 * ds));
    }
}
