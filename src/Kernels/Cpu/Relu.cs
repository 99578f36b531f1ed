using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>max(x, 0); the derivative at 0 is 0.</summary>
internal readonly struct Relu : IUnaryOp
{
    public static bool DerivativeReadsInput => false;

    public static bool DerivativeReadsOutput => true;

    // Zero comes first: x86 then returns x where x is NaN, so that a diverged network does not look healthy.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x)
        where V : struct, ISimd<V> => V.Max(V.Zero, x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<V>(V x, V y)
        where V : struct, ISimd<V> => V.SelectLess(V.Zero, y, V.Broadcast(1f), V.Zero);
}
