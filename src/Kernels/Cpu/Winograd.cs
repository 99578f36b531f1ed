using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Winograd's minimal filtering (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016): what the algorithms
/// <see cref="Winograd5"/> and <see cref="Winograd6"/> share.
/// </summary>
internal static class Winograd
{
    /// <summary>Columns that the right operands of the products are cut into, at any vector width.</summary>
    public const int PanelWidth = 32;

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

    /// <summary>odd ± p · even: what the points +p and −p give.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static unsafe void StorePair<V>(double p, V odd, V even, float* v, nint step)
        where V : struct, ISimd<V>
    {
        V.Store(V.MultiplyAdd(V.Broadcast((float)p), even, odd), v);
        V.Store(V.MultiplyAdd(V.Broadcast((float)-p), even, odd), v + step);
    }

    /// <summary>The coefficients of (x − a)(x − b), constant term first, times three numbers.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Quadratic<V>(double a, double b, V x0, V x1, V x2)
        where V : struct, ISimd<V> =>
        V.MultiplyAdd(V.Broadcast((float)(a * b)), x0, V.MultiplyAdd(V.Broadcast((float)-(a + b)), x1, x2));

    /// <summary>a x + b y + c z.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Combine<V>(double a, V x, double b, V y, double c, V z)
        where V : struct, ISimd<V> =>
        V.MultiplyAdd(V.Broadcast((float)c), z, V.MultiplyAdd(V.Broadcast((float)b), y, V.Broadcast((float)a) * x));
}
