using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>1 / (1 + e^−x).</summary>
internal readonly struct Sigmoid : IUnaryOp
{
    public static bool DerivativeReadsInput => false;

    public static bool DerivativeReadsOutput => true;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Forward<V>(V x)
        where V : struct, ISimd<V> => VectorMath.Sigmoid(x);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Derivative<V>(V x, V y)
        where V : struct, ISimd<V> => y * (V.Broadcast(1f) - y);
}
