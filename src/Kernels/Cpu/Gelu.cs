using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>x · Φ(x) with the exact error function: Hendrycks and Gimpel, "Gaussian error linear units" (2016).</summary>
internal readonly struct Gelu : IUnaryOp
{
    public static bool DerivativeReadsInput => true;

    public static bool DerivativeReadsOutput => false;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x)
        where V : struct, ISimd<V> => VectorMath.Gelu(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<V>(V x, V y)
        where V : struct, ISimd<V> => VectorMath.GeluDerivative(x);
}
