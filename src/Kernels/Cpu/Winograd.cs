using System.Numerics;
using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Winograd's minimal filtering F(5x5, 3x3): 5 x 5 outputs from 49 products per channel instead of 225 (Lavin and Gray, "Fast
/// Algorithms for Convolutional Neural Networks", 2016).
/// </summary>
/// <remarks>
/// The polynomials are evaluated at ±5/16, ±7/8, ±7/4 and ∞, exact in float32 with all powers and products in use. The errors
/// of the sums decide; they grow with Σ |a|² |g|² |b|² over the products, a, g and b being the product's lines of the three
/// matrices. Of all sets of points, symmetric or not, the best has this form, and these simple ones come within 1 % of it. At
/// the decoder's shapes the relative error against double is 1.2e-6 … 1.7e-6, that of the direct convolution 2.9e-7 … 3.9e-7;
/// the largest errors are 1.9e-5 and 1.6e-6 of the outputs' root mean square.
/// <para>
/// F(4x4) with its best points errs by 0.7e-6 and takes 12 % more time; F(6x6) with its best, 0, ±1/2, ±1, ±2 and ∞, takes 7 %
/// less, but errs by 3e-6 … 4e-6 and misses the bar that PyTorch's own error sets for whole models. Tiles of five
/// pixels cover the decoder's 120, 60 and 30 without a remainder; four leave one of two at 30.
/// </para>
/// </remarks>
internal static class Winograd
{
    /// <summary>Outputs of a tile along each axis.</summary>
    public const int Outputs = 5;

    /// <summary>Inputs of a tile along each axis; tiles overlap by two.</summary>
    public const int Inputs = 7;

    /// <summary>Products per channel of a tile.</summary>
    public const int Products = Inputs * Inputs;

    /// <summary>Columns that the right operands of the products are cut into, at any vector width.</summary>
    public const int PanelWidth = 32;

    private const double P = 0.3125;
    private const double Q = 0.875;
    private const double R = 1.75;
    private const double P2 = P * P;
    private const double Q2 = Q * Q;
    private const double R2 = R * R;
    private const double NormP = 1 / (2 * P * (P2 - Q2) * (P2 - R2));
    private const double NormQ = 1 / (2 * Q * (Q2 - P2) * (Q2 - R2));
    private const double NormR = 1 / (2 * R * (R2 - P2) * (R2 - Q2));
    private const int FewestChannels = 64;
    private const int SmallestSide = 12;
    private const int FewestPixels = 1024;

    /// <summary>Whether the kernel has 3x3 taps per frame, and there are channels enough to pay for the transforms.</summary>
    public static bool Suits(Volume kernel, int inputs, int outputs) =>
        kernel.Plane == 9 && inputs >= FewestChannels && outputs >= FewestChannels && inputs % 16 == 0;

    /// <summary>Whether there are also pixels enough to pay for the transform of weights that serve one call.</summary>
    public static bool Suits(ConvolutionShape shape) =>
        Suits(shape.Kernel, shape.Inputs, shape.Outputs) && shape.Map.Height >= SmallestSide && shape.Map.Width >= SmallestSide && shape.Pixels >= FewestPixels;

    /// <summary>The order in which the frames of a kernel are added: the middle one first, then the others.</summary>
    public static int FrameTap(int index, int frames) => index == 0 ? frames / 2 : index <= frames / 2 ? index - 1 : index;

    /// <summary>One axis of the transform of the input: v = Bᵀ d, seven numbers from seven.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void TransformInput<V>(float* d, nint step, float* v, nint vStep)
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

    /// <summary>One axis of the transform of the sums: y = Aᵀ m, five numbers from seven.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void TransformSums<V>(float* m, nint step, float* y, nint yStep)
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

    /// <summary>One axis of the transform of the weights: u = G g, in double, for it is rounded only once.</summary>
    /// <param name="g0">The first of three taps.</param>
    /// <param name="g1">The second.</param>
    /// <param name="g2">The third.</param>
    /// <param name="u">Seven numbers, <paramref name="step"/> vectors apart.</param>
    /// <param name="step">Vectors from a result to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void TransformWeights(Vector<double> g0, Vector<double> g1, Vector<double> g2, Vector<double>* u, nint step)
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

    /// <summary>odd ± p · even: what the points +p and −p give.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe void StorePair<V>(double p, V odd, V even, float* v, nint step)
        where V : struct, ISimd<V>
    {
        V.Store(V.MultiplyAdd(V.Broadcast((float)p), even, odd), v);
        V.Store(V.MultiplyAdd(V.Broadcast((float)-p), even, odd), v + step);
    }

    /// <summary>The coefficients of (x − a)(x − b), constant term first, times three numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Quadratic<V>(double a, double b, V x0, V x1, V x2)
        where V : struct, ISimd<V> =>
        V.MultiplyAdd(V.Broadcast((float)(a * b)), x0, V.MultiplyAdd(V.Broadcast((float)-(a + b)), x1, x2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static V Combine<V>(double a, V x, double b, V y, double c, V z)
        where V : struct, ISimd<V> =>
        V.MultiplyAdd(V.Broadcast((float)c), z, V.MultiplyAdd(V.Broadcast((float)b), y, V.Broadcast((float)a) * x));
}
