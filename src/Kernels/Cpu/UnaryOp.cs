namespace Lavt.Kernels.Cpu;

/// <summary>A function of one variable that <see cref="Elementwise"/> applies to arrays.</summary>
internal interface IUnaryOp
{
    /// <summary>Whether <see cref="Derivative"/> reads the input x.</summary>
    static abstract bool DerivativeReadsInput { get; }

    /// <summary>Whether <see cref="Derivative"/> reads the output y.</summary>
    static abstract bool DerivativeReadsOutput { get; }

    /// <summary>y = f(x).</summary>
    static abstract V Forward<V>(V x)
        where V : struct, ISimd<V>;

    /// <summary>f′ from the input and the output; one that is not read is undefined.</summary>
    static abstract V Derivative<V>(V x, V y)
        where V : struct, ISimd<V>;
}
