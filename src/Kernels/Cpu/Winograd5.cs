using System.Numerics;
using System.Runtime.CompilerServices;
using static Lavt.Kernels.Cpu.Winograd;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// F(5x5, 3x3), for any number of channels: 5 x 5 outputs from 49 products per channel instead of 225.
/// </summary>
/// <remarks>
/// The polynomials are evaluated at ±5/16, ±7/8, ±7/4 and ∞, exact in float32 with all powers and products in use. The errors
/// of the sums decide; they grow with Σ |a|² |g|² |b|² over the products, a, g and b being the product's lines of the three
/// matrices. Of all sets of points, symmetric or not, the best has this form, and these simple ones come within 1 % of it. At
/// the decoder's shapes the relative error against double is 1.2e-6 … 1.7e-6, that of the direct convolution 2.9e-7 … 3.9e-7;
/// the largest errors are 1.9e-5 and 1.6e-6 of the outputs' root mean square. F(4x4) with its best points errs by 0.7e-6 and
/// takes 12 % more time.
/// </remarks>
internal readonly unsafe struct Winograd5 : IWinograd
{
    private const double P = 0.3125;
    private const double Q = 0.875;
    private const double R = 1.75;
    private const double P2 = P * P;
    private const double Q2 = Q * Q;
    private const double R2 = R * R;
    private const double NormP = 1 / (2 * P * (P2 - Q2) * (P2 - R2));
    private const double NormQ = 1 / (2 * Q * (Q2 - P2) * (Q2 - R2));
    private const double NormR = 1 / (2 * R * (R2 - P2) * (R2 - Q2));

    public static int Outputs
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => 5;
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransformInput<V>(float* d, nint step, float* v, nint vStep)
        where V : struct, ISimd<V>
    {
        V d0 = V.Load(d), d1 = V.Load(d + step), d2 = V.Load(d + (2 * step)), d3 = V.Load(d + (3 * step));
        V d4 = V.Load(d + (4 * step)), d5 = V.Load(d + (5 * step)), d6 = V.Load(d + (6 * step));
        StorePair(P, Quadratic(Q2, R2, d1, d3, d5), Quadratic(Q2, R2, d0, d2, d4), v, vStep);
        StorePair(Q, Quadratic(P2, R2, d1, d3, d5), Quadratic(P2, R2, d0, d2, d4), v + (2 * vStep), vStep);
        StorePair(R, Quadratic(P2, Q2, d1, d3, d5), Quadratic(P2, Q2, d0, d2, d4), v + (4 * vStep), vStep);
        V cubic = V.MultiplyAdd(V.Broadcast((float)((P2 * Q2) + (P2 * R2) + (Q2 * R2))), d2, V.MultiplyAdd(V.Broadcast((float)-(P2 + Q2 + R2)), d4, d6));
        V.Store(V.MultiplyAdd(V.Broadcast((float)(-P2 * Q2 * R2)), d0, cubic), v + (6 * vStep));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransformSums<V>(float* m, nint step, float* y, nint yStep)
        where V : struct, ISimd<V>
    {
        V m0 = V.Load(m), m1 = V.Load(m + step), m2 = V.Load(m + (2 * step)), m3 = V.Load(m + (3 * step));
        V m4 = V.Load(m + (4 * step)), m5 = V.Load(m + (5 * step)), m6 = V.Load(m + (6 * step));
        V evenP = m0 + m1, oddP = m0 - m1, evenQ = m2 + m3, oddQ = m2 - m3, evenR = m4 + m5, oddR = m4 - m5;
        V.Store(evenP + evenQ + evenR, y);
        V.Store(Combine(P, oddP, Q, oddQ, R, oddR), y + yStep);
        V.Store(Combine(P2, evenP, Q2, evenQ, R2, evenR), y + (2 * yStep));
        V.Store(Combine(P * P2, oddP, Q * Q2, oddQ, R * R2, oddR), y + (3 * yStep));
        V.Store(Combine(P2 * P2, evenP, Q2 * Q2, evenQ, R2 * R2, evenR) + m6, y + (4 * yStep));
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransformWeights(Vector<double> g0, Vector<double> g1, Vector<double> g2, Vector<double>* u, nint step)
    {
        Vector<double> evenP = (g0 + (g2 * P2)) * NormP, oddP = g1 * (P * NormP);
        Vector<double> evenQ = (g0 + (g2 * Q2)) * NormQ, oddQ = g1 * (Q * NormQ);
        Vector<double> evenR = (g0 + (g2 * R2)) * NormR, oddR = g1 * (R * NormR);
        u[0] = oddP + evenP;
        u[step] = oddP - evenP;
        u[2 * step] = oddQ + evenQ;
        u[3 * step] = oddQ - evenQ;
        u[4 * step] = oddR + evenR;
        u[5 * step] = oddR - evenR;
        u[6 * step] = g2;
    }
}
