using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>The hyperbolic tangent.</summary>
internal readonly struct Tanh : IUnaryOp
{
    public static bool DerivativeReadsInput => false;

    public static bool DerivativeReadsOutput => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x)
        where V : struct, ISimd<V> => VectorMath.Tanh(x);

    // (1 − y)(1 + y) rather than 1 − y²: exact where y is near ±1.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<V>(V x, V y)
        where V : struct, ISimd<V> => (V.Broadcast(1f) - y) * (V.Broadcast(1f) + y);
}
