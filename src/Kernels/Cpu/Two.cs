using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Two vectors as one. Long chains of dependent instructions on both then stand interleaved in the code, and the processor
/// need not look far ahead to fill the latency of one with the other.
/// </summary>
internal readonly unsafe struct Two<V> : ISimd<Two<V>>
    where V : struct, ISimd<V>
{
    private readonly V _a;
    private readonly V _b;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Two(V a, V b) => (_a, _b) = (a, b);

    public static int Width
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 2 * V.Width;
    }

    public static Two<V> Zero
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => new(V.Zero, V.Zero);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> Load(float* source) => new(V.Load(source), V.Load(source + V.Width));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> Broadcast(float value) => new(V.Broadcast(value), V.Broadcast(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Two<V> value, float* destination)
    {
        V.Store(value._a, destination);
        V.Store(value._b, destination + V.Width);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> MultiplyAdd(Two<V> a, Two<V> b, Two<V> c) => new(V.MultiplyAdd(a._a, b._a, c._a), V.MultiplyAdd(a._b, b._b, c._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> operator +(Two<V> a, Two<V> b) => new(a._a + b._a, a._b + b._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> operator -(Two<V> a, Two<V> b) => new(a._a - b._a, a._b - b._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> operator *(Two<V> a, Two<V> b) => new(a._a * b._a, a._b * b._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> operator /(Two<V> a, Two<V> b) => new(a._a / b._a, a._b / b._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> Max(Two<V> a, Two<V> b) => new(V.Max(a._a, b._a), V.Max(a._b, b._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> Min(Two<V> a, Two<V> b) => new(V.Min(a._a, b._a), V.Min(a._b, b._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> Sqrt(Two<V> a) => new(V.Sqrt(a._a), V.Sqrt(a._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> Abs(Two<V> a) => new(V.Abs(a._a), V.Abs(a._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> Round(Two<V> a) => new(V.Round(a._a), V.Round(a._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> ScaleByPowerOf2(Two<V> a, Two<V> n) => new(V.ScaleByPowerOf2(a._a, n._a), V.ScaleByPowerOf2(a._b, n._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> CopySign(Two<V> a, Two<V> b) => new(V.CopySign(a._a, b._a), V.CopySign(a._b, b._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> SelectLess(Two<V> a, Two<V> b, Two<V> yes, Two<V> no) => new(V.SelectLess(a._a, b._a, yes._a, no._a), V.SelectLess(a._b, b._b, yes._b, no._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> AddPairProducts(Two<V> sums, Two<V> a, Two<V> b) => new(V.AddPairProducts(sums._a, a._a, b._a), V.AddPairProducts(sums._b, a._b, b._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> FromInt32(Two<V> a) => new(V.FromInt32(a._a), V.FromInt32(a._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Two<V> RoundToInt16(Two<V> low, Two<V> high) => new(V.RoundToInt16(low._a, low._b), V.RoundToInt16(high._a, high._b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Two<V> a) => V.Sum(a._a + a._b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxAcross(Two<V> a) => V.MaxAcross(V.Max(a._a, a._b));
}
