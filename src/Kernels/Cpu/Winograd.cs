using System.Numerics;
using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Winograd's minimal filtering F(4x4, 3x3): 4 x 4 outputs from 36 products per channel instead of 144 (Lavin and Gray, "Fast
/// Algorithms for Convolutional Neural Networks", 2016).
/// </summary>
/// <remarks>
/// The polynomials are evaluated at 0, ±5/8, ±3/2 and ∞, which are exact in float32 with all their powers in use. Found by a
/// search over pairs of points: with the usual 0, ±1, ±2, ∞ errors are more than twice as large (root mean square) and the
/// largest one four times. At the decoder's shapes (640 or 1536 channels to 512) the relative error against double is
/// 0.9e-6 … 1.1e-6, that of the direct convolution 2.9e-7 … 3.9e-7; the largest errors are 6e-6 and 1.6e-6 of the outputs'
/// root mean square.
/// </remarks>
internal static class Winograd
{
    /// <summary>Outputs of a tile along each axis.</summary>
    public const int Outputs = 4;

    /// <summary>Inputs of a tile along each axis; tiles overlap by two.</summary>
    public const int Inputs = 6;

    /// <summary>Products per channel of a tile.</summary>
    public const int Products = Inputs * Inputs;

    private const double P = 0.625;
    private const double Q = 1.5;
    private const int FewestChannels = 64;
    private const int SmallestSide = 12;
    private const int FewestPixels = 2048;

    /// <summary>Whether there are channels enough to pay for the transforms.</summary>
    public static bool Suits(int inputs, int outputs) =>
        inputs >= FewestChannels && outputs >= FewestChannels && inputs % 16 == 0;

    /// <summary>Whether there are also pixels enough to pay for the transform of weights that serve one call.</summary>
    public static bool Suits(int batch, int height, int width, int inputs, int outputs) =>
        Suits(inputs, outputs) && height >= SmallestSide && width >= SmallestSide && (long)batch * height * width >= FewestPixels;

    /// <summary>One axis of the transform of the input: v = Bᵀ d, in place.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransformInput<V>(ref V d0, ref V d1, ref V d2, ref V d3, ref V d4, ref V d5)
        where V : struct, ISimd<V>
    {
        V product = V.Broadcast((float)(P * P * Q * Q)), minusSum = V.Broadcast((float)(-((P * P) + (Q * Q))));
        V minusP2 = V.Broadcast((float)(-P * P)), minusQ2 = V.Broadcast((float)(-Q * Q));
        V v0 = V.MultiplyAdd(product, d0, V.MultiplyAdd(minusSum, d2, d4));
        V v5 = V.MultiplyAdd(product, d1, V.MultiplyAdd(minusSum, d3, d5));
        V evenP = V.MultiplyAdd(minusQ2, d2, d4), oddP = V.MultiplyAdd(minusQ2, d1, d3);
        V evenQ = V.MultiplyAdd(minusP2, d2, d4), oddQ = V.MultiplyAdd(minusP2, d1, d3);
        d0 = v0;
        d1 = V.MultiplyAdd(V.Broadcast((float)P), oddP, evenP);
        d2 = V.MultiplyAdd(V.Broadcast((float)-P), oddP, evenP);
        d3 = V.MultiplyAdd(V.Broadcast((float)Q), oddQ, evenQ);
        d4 = V.MultiplyAdd(V.Broadcast((float)-Q), oddQ, evenQ);
        d5 = v5;
    }

    /// <summary>One axis of the transform of the sums: y = Aᵀ m, left in m0 … m3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void TransformSums<V>(ref V m0, ref V m1, ref V m2, ref V m3, V m4, V m5)
        where V : struct, ISimd<V>
    {
        V evenP = m1 + m2, oddP = m1 - m2, evenQ = m3 + m4, oddQ = m3 - m4;
        m0 += evenP + evenQ;
        m1 = V.MultiplyAdd(V.Broadcast((float)Q), oddQ, V.Broadcast((float)P) * oddP);
        m2 = V.MultiplyAdd(V.Broadcast((float)(Q * Q)), evenQ, V.Broadcast((float)(P * P)) * evenP);
        m3 = V.MultiplyAdd(V.Broadcast((float)(Q * Q * Q)), oddQ, V.MultiplyAdd(V.Broadcast((float)(P * P * P)), oddP, m5));
    }

    /// <summary>One axis of the transform of the weights: u = G g, in double, for it is rounded only once.</summary>
    /// <param name="g0">The first of three taps.</param>
    /// <param name="g1">The second.</param>
    /// <param name="g2">The third.</param>
    /// <param name="u">Six numbers, <paramref name="step"/> vectors apart.</param>
    /// <param name="step">Vectors from a result to the next.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void TransformWeights(Vector<double> g0, Vector<double> g1, Vector<double> g2, Vector<double>* u, nint step)
    {
        const double NormP = 1 / (2 * P * P * ((P * P) - (Q * Q))), NormQ = 1 / (2 * Q * Q * ((Q * Q) - (P * P)));
        Vector<double> evenP = (g0 + (g2 * (P * P))) * NormP, oddP = g1 * (P * NormP);
        Vector<double> evenQ = (g0 + (g2 * (Q * Q))) * NormQ, oddQ = g1 * (Q * NormQ);
        u[0] = g0 * (1 / (P * P * Q * Q));
        u[step] = evenP + oddP;
        u[2 * step] = evenP - oddP;
        u[3 * step] = evenQ + oddQ;
        u[4 * step] = evenQ - oddQ;
        u[5 * step] = g2;
    }
}
