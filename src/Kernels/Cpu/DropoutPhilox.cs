using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>Several neighbouring numbers of a <see cref="Philox"/> stream at once.</summary>
internal unsafe interface IPhiloxVector
{
    /// <summary>How many numbers <see cref="Draw"/> gives; a multiple of 4.</summary>
    static abstract int Numbers { get; }

    /// <summary>Writes the numbers 4 · <paramref name="block"/> … of the stream, in [0, 1).</summary>
    static abstract void Draw(ulong seed, ulong stream, ulong block, float* numbers);
}

/// <summary>One block; for processors without AVX2.</summary>
internal readonly unsafe struct PhiloxScalar : IPhiloxVector
{
    public static int Numbers => 4;

    public static void Draw(ulong seed, ulong stream, ulong block, float* numbers)
    {
        (uint x, uint y, uint z, uint w) = Philox.Block(seed, stream, block);
        (numbers[0], numbers[1], numbers[2], numbers[3]) = (Fraction(x), Fraction(y), Fraction(z), Fraction(w));
    }

    private static float Fraction(uint bits) => (bits >> 8) * (1f / 16777216f);
}

/// <summary>
/// Eight blocks (AVX-512). Each word of a block lies in the lower half of a 64-bit lane; the upper halves are never read, so
/// that they need no clearing between rounds.
/// </summary>
internal readonly unsafe struct Philox512 : IPhiloxVector
{
    public static int Numbers => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Draw(ulong seed, ulong stream, ulong block, float* numbers)
    {
        // Blocks in the order in which interleaving the words of pairs of lanes puts them one after the other.
        Vector512<ulong> counter = Vector512.Create(block) + Vector512.Create(0UL, 4, 1, 5, 2, 6, 3, 7);
        Vector512<ulong> c0 = counter, c1 = counter >>> 32, c2 = Vector512.Create(stream), c3 = Vector512.Create(stream >> 32);
        uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
        Vector512<uint> m0 = Vector512.Create(0xD2511F53UL).AsUInt32(), m1 = Vector512.Create(0xCD9E8D57UL).AsUInt32();
        for (int round = 0; round < 10; round++)
        {
            Vector512<ulong> p0 = Avx512F.Multiply(c0.AsUInt32(), m0), p1 = Avx512F.Multiply(c2.AsUInt32(), m1);
            (c0, c1, c2, c3) = ((p1 >>> 32) ^ c1 ^ Vector512.Create((ulong)k0), p1, (p0 >>> 32) ^ c3 ^ Vector512.Create((ulong)k1), p0);
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }
        Vector512<ulong> low = Vector512.Create(0xFFFFFFFFUL), first = (c0 & low) | (c1 << 32), second = (c2 & low) | (c3 << 32);
        Fractions(Avx512F.UnpackLow(first, second)).Store(numbers);
        Fractions(Avx512F.UnpackHigh(first, second)).Store(numbers + 16);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Fractions(Vector512<ulong> bits) =>
        Vector512.ConvertToSingle((bits.AsUInt32() >>> 8).AsInt32()) * Vector512.Create(1f / 16777216f);
}

/// <summary>Four blocks (AVX2), laid out as in <see cref="Philox512"/>.</summary>
internal readonly unsafe struct Philox256 : IPhiloxVector
{
    public static int Numbers => 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Draw(ulong seed, ulong stream, ulong block, float* numbers)
    {
        Vector256<ulong> counter = Vector256.Create(block) + Vector256.Create(0UL, 2, 1, 3);
        Vector256<ulong> c0 = counter, c1 = counter >>> 32, c2 = Vector256.Create(stream), c3 = Vector256.Create(stream >> 32);
        uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
        Vector256<uint> m0 = Vector256.Create(0xD2511F53UL).AsUInt32(), m1 = Vector256.Create(0xCD9E8D57UL).AsUInt32();
        for (int round = 0; round < 10; round++)
        {
            Vector256<ulong> p0 = Avx2.Multiply(c0.AsUInt32(), m0), p1 = Avx2.Multiply(c2.AsUInt32(), m1);
            (c0, c1, c2, c3) = ((p1 >>> 32) ^ c1 ^ Vector256.Create((ulong)k0), p1, (p0 >>> 32) ^ c3 ^ Vector256.Create((ulong)k1), p0);
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }
        Vector256<ulong> low = Vector256.Create(0xFFFFFFFFUL), first = (c0 & low) | (c1 << 32), second = (c2 & low) | (c3 << 32);
        Fractions(Avx2.UnpackLow(first, second)).Store(numbers);
        Fractions(Avx2.UnpackHigh(first, second)).Store(numbers + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Fractions(Vector256<ulong> bits) =>
        Vector256.ConvertToSingle((bits.AsUInt32() >>> 8).AsInt32()) * Vector256.Create(1f / 16777216f);
}
