using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Elementary functions over vectors, within about 2 units in the last place of float. The polynomials are minimax fits
/// (reweighted least squares in a Chebyshev basis, double precision) of the function named at each.
/// </summary>
internal static class VectorMath
{
    private const float Log2E = 1.44269504f;
    private const float LnTwoHigh = 0.693359375f;
    private const float LnTwoLow = -2.12194440e-4f;
    private const float SqrtHalf = 0.707106781f;

    /// <summary>e^x; 0 below −87.3, and the largest finite power above 88.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp<V>(V x)
        where V : struct, ISimd<V>
    {
        // Range reduction by ln 2 in two parts (Cody and Waite), then (e^r − 1 − r) / r² on |r| ≤ ln 2 / 2.
        // The constant stands first: of a NaN and a number, the x86 instructions return the second operand.
        V clamped = V.Min(V.Broadcast(88f), V.Max(V.Broadcast(-87.3f), x));
        V n = V.Round(clamped * V.Broadcast(Log2E));
        V r = V.MultiplyAdd(n, V.Broadcast(-LnTwoHigh), clamped);
        r = V.MultiplyAdd(n, V.Broadcast(-LnTwoLow), r);
        V p = V.Broadcast(1.99146903e-4f);
        p = V.MultiplyAdd(p, r, V.Broadcast(1.39462843e-3f));
        p = V.MultiplyAdd(p, r, V.Broadcast(8.33327137e-3f));
        p = V.MultiplyAdd(p, r, V.Broadcast(4.16662656e-2f));
        p = V.MultiplyAdd(p, r, V.Broadcast(1.66666672e-1f));
        p = V.MultiplyAdd(p, r, V.Broadcast(0.5f));
        p = V.MultiplyAdd(p, r * r, r) + V.Broadcast(1f);
        return V.SelectLess(x, V.Broadcast(-87.3f), V.Zero, V.ScaleByPowerOf2(p, n));
    }

    /// <summary>2^x for x ≤ 127; 2^−126 below −126. Its error is 0.8e-7 of the result, and rounding is most of that.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Exp2<V>(V x)
        where V : struct, ISimd<V>
    {
        // 2^r on |r| ≤ ½. With a term less the error doubles, and the base model's logits miss their golden bar.
        V clamped = V.Max(V.Broadcast(-126f), x);
        V n = V.Round(clamped);
        V r = clamped - n;
        V p = V.MultiplyAdd(V.Broadcast(1.53533620e-4f), r, V.Broadcast(1.33988750e-3f));
        p = V.MultiplyAdd(p, r, V.Broadcast(9.61843692e-3f));
        p = V.MultiplyAdd(p, r, V.Broadcast(5.55033237e-2f));
        p = V.MultiplyAdd(p, r, V.Broadcast(2.40226477e-1f));
        p = V.MultiplyAdd(p, r, V.Broadcast(6.93147182e-1f));
        p = V.MultiplyAdd(p, r, V.Broadcast(1f));
        return V.ScaleByPowerOf2(p, n);
    }

    /// <summary>The error function.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Erf<V>(V x)
        where V : struct, ISimd<V>
    {
        V t = V.Abs(x);
        V s = x * x;

        // (erf x / x − 1) in x² on |x| < 0.9277.
        V near = V.Broadcast(-5.96405764e-4f);
        near = V.MultiplyAdd(near, s, V.Broadcast(4.98796487e-3f));
        near = V.MultiplyAdd(near, s, V.Broadcast(-2.67630965e-2f));
        near = V.MultiplyAdd(near, s, V.Broadcast(1.12817205e-1f));
        near = V.MultiplyAdd(near, s, V.Broadcast(-3.76124859e-1f));
        near = V.MultiplyAdd(near, s, V.Broadcast(1.28379151e-1f));
        near = V.MultiplyAdd(near, x, x);

        // (ln erfc t + t) / t on 0.9277 ≤ t ≤ 4; beyond, erf is 1 to the last place.
        V u = V.Min(V.Broadcast(4f), t);
        V far = V.Broadcast(-1.1805987e-5f);
        far = V.MultiplyAdd(far, u, V.Broadcast(3.28506925e-4f));
        far = V.MultiplyAdd(far, u, V.Broadcast(-3.66543233e-3f));
        far = V.MultiplyAdd(far, u, V.Broadcast(2.3810165e-2f));
        far = V.MultiplyAdd(far, u, V.Broadcast(-1.06292129e-1f));
        far = V.MultiplyAdd(far, u, V.Broadcast(-6.35118306e-1f));
        far = V.MultiplyAdd(far, u, V.Broadcast(-1.28656536e-1f));
        far = V.MultiplyAdd(far, u, V.Zero - u);
        far = V.CopySign(V.Broadcast(1f) - Exp(far), x);

        return V.SelectLess(t, V.Broadcast(0.927734375f), near, far);
    }

    /// <summary>The hyperbolic tangent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Tanh<V>(V x)
        where V : struct, ISimd<V>
    {
        V t = V.Abs(x);
        V s = x * x;

        // (tanh x / x − 1) / x² in x² on |x| < 0.625.
        V near = V.Broadcast(-5.71694784e-3f);
        near = V.MultiplyAdd(near, s, V.Broadcast(2.0650493e-2f));
        near = V.MultiplyAdd(near, s, V.Broadcast(-5.37434667e-2f));
        near = V.MultiplyAdd(near, s, V.Broadcast(1.33314908e-1f));
        near = V.MultiplyAdd(near, s, V.Broadcast(-3.33332837e-1f));
        near = V.MultiplyAdd(near * s, x, x);

        // 1 − 2 / (e^2t + 1).
        V e = Exp(t + t);
        V far = V.Broadcast(1f) - V.Broadcast(2f) / (e + V.Broadcast(1f));
        return V.SelectLess(t, V.Broadcast(0.625f), near, V.CopySign(far, x));
    }

    /// <summary>1 / (1 + e^−x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Sigmoid<V>(V x)
        where V : struct, ISimd<V> => V.Broadcast(1f) / (V.Broadcast(1f) + Exp(V.Zero - x));

    /// <summary>x · Φ(x), the exact (erf) form of Hendrycks and Gimpel, "Gaussian error linear units" (2016).</summary>
    /// <remarks>
    /// max(x, 0) + s · Φ(s) with s = −|x|: one branch serves all of x, and the error of Φ near 0 vanishes with s. The
    /// largest error is half that of ½ · x · (1 + erf(x / √2)) evaluated in float.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Gelu<V>(V x)
        where V : struct, ISimd<V>
    {
        // log2 Φ(s) on −6 ≤ s ≤ 0, fitted for the error of Φ; beyond, s · Φ(s) is less than 6e-9. Products in pairs (Estrin)
        // make short chains.
        V s = V.Max(V.Broadcast(-6f), V.Zero - V.Abs(x));
        V s2 = s * s;
        V q = V.MultiplyAdd(V.Broadcast(-1.56624552e-7f), s, V.Broadcast(-3.93079745e-6f));
        q = V.MultiplyAdd(q, s2, V.MultiplyAdd(V.Broadcast(-3.89023517e-5f), s, V.Broadcast(-1.63926044e-4f)));
        q = V.MultiplyAdd(q, s2, V.MultiplyAdd(V.Broadcast(2.09573627e-4f), s, V.Broadcast(7.16492347e-3f)));
        q = V.MultiplyAdd(q, s2, V.MultiplyAdd(V.Broadcast(5.25632985e-2f), s, V.Broadcast(-4.59188938e-1f)));
        q = V.MultiplyAdd(q, s2, V.MultiplyAdd(V.Broadcast(1.15110695f), s, V.Broadcast(-1f)));

        // 2^r on |r| ≤ ½.
        V n = V.Round(q);
        V r = q - n, r2 = r * r;
        V p = V.MultiplyAdd(V.Broadcast(1.32647122e-3f), r, V.Broadcast(9.67152324e-3f));
        p = V.MultiplyAdd(p, r2, V.MultiplyAdd(V.Broadcast(5.55073395e-2f), r, V.Broadcast(2.40222424e-1f)));
        p = V.MultiplyAdd(p, r2, V.MultiplyAdd(V.Broadcast(6.93147004e-1f), r, V.Broadcast(1f)));
        return V.MultiplyAdd(s, V.ScaleByPowerOf2(p, n), V.Max(V.Zero, x));
    }

    /// <summary>d/dx of <see cref="Gelu"/>: Φ(x) + x · φ(x).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V GeluDerivative<V>(V x)
        where V : struct, ISimd<V>
    {
        V cdf = V.MultiplyAdd(V.Broadcast(0.5f), Erf(x * V.Broadcast(SqrtHalf)), V.Broadcast(0.5f));
        V pdf = Exp(x * x * V.Broadcast(-0.5f)) * V.Broadcast(0.398942280f);
        return V.MultiplyAdd(x, pdf, cdf);
    }
}
