using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>An <see cref="Activation"/> as a type, so that the choice is made once and not per element.</summary>
internal interface IActivationFunction
{
    static abstract V Apply<V>(V x)
        where V : struct, ISimd<V>;
}

internal readonly struct IdentityFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<V>(V x)
        where V : struct, ISimd<V> => x;
}

internal readonly struct ReluFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<V>(V x)
        where V : struct, ISimd<V> => V.Max(x, V.Zero);
}

internal readonly struct GeluFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<V>(V x)
        where V : struct, ISimd<V> => VectorMath.Gelu(x);
}

internal readonly struct TanhFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<V>(V x)
        where V : struct, ISimd<V> => VectorMath.Tanh(x);
}

internal readonly struct SigmoidFunction : IActivationFunction
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static V Apply<V>(V x)
        where V : struct, ISimd<V> => VectorMath.Sigmoid(x);
}
