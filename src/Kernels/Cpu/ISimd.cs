namespace Lavt.Kernels.Cpu;


/// <summary>
/// A vector of floats of one hardware width. Kernels are written once over this type and specialised by the compiler for
/// AVX-512 (<see cref="F512"/>), AVX2 (<see cref="F256"/>) and everything else (<see cref="F128"/>).
/// </summary>
internal unsafe interface ISimd<T>
    where T : struct, ISimd<T>
{
    /// <summary>The number of lanes.</summary>
    static abstract int Width { get; }

    static abstract T Zero { get; }

    static abstract T Load(float* source);

    static abstract T Broadcast(float value);

    static abstract void Store(T value, float* destination);

    /// <summary>a · b + c, in one rounding where the hardware has it.</summary>
    static abstract T MultiplyAdd(T a, T b, T c);

    static abstract T operator +(T a, T b);

    static abstract T operator -(T a, T b);

    static abstract T operator *(T a, T b);

    static abstract T operator /(T a, T b);

    static abstract T Max(T a, T b);

    static abstract T Min(T a, T b);

    static abstract T Sqrt(T a);

    static abstract T Abs(T a);

    /// <summary>To the nearest integer, ties to even.</summary>
    static abstract T Round(T a);

    /// <summary>a · 2^n for integral n in [−126, 127] and |a| near 1.</summary>
    static abstract T ScaleByPowerOf2(T a, T n);

    /// <summary>The magnitude of a with the sign of b.</summary>
    static abstract T CopySign(T a, T b);

    /// <summary>Per lane: a &lt; b ? yes : no.</summary>
    static abstract T SelectLess(T a, T b, T yes, T no);

    /// <summary>Per lane: sums + a₀ b₀ + a₁ b₁ modulo 2³², where a lane of sums is an int32 and one of a and b holds two int16.</summary>
    static abstract T AddPairProducts(T sums, T a, T b);

    /// <summary>Lanes of int32 as floats.</summary>
    static abstract T FromInt32(T a);

    /// <summary>To the nearest int16, ties to even: a lane holds two of them, those of <paramref name="low"/> first.</summary>
    static abstract T RoundToInt16(T low, T high);

    /// <summary>The sum of all lanes.</summary>
    static abstract float Sum(T a);

    /// <summary>The largest lane.</summary>
    static abstract float MaxAcross(T a);
}
