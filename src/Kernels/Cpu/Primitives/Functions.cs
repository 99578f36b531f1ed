using System.Numerics;

namespace Lavt.Kernels.Cpu;

/// <summary>a + b.</summary>
public readonly struct AddFunction<T> : IBinaryFunction<T>
    where T : INumber<T>
{
    /// <inheritdoc/>
    public static T Apply(T a, T b) => a + b;
}

/// <summary>a − b.</summary>
public readonly struct SubtractFunction<T> : IBinaryFunction<T>
    where T : INumber<T>
{
    /// <inheritdoc/>
    public static T Apply(T a, T b) => a - b;
}

/// <summary>a · b.</summary>
public readonly struct MultiplyFunction<T> : IBinaryFunction<T>
    where T : INumber<T>
{
    /// <inheritdoc/>
    public static T Apply(T a, T b) => a * b;
}

/// <summary>a / b.</summary>
public readonly struct DivideFunction<T> : IBinaryFunction<T>
    where T : INumber<T>
{
    /// <inheritdoc/>
    public static T Apply(T a, T b) => a / b;
}

/// <summary>e^x.</summary>
public readonly struct ExpFunction<T> : IUnaryFunction<T>
    where T : IFloatingPointIeee754<T>
{
    /// <inheritdoc/>
    public static T Apply(T x) => T.Exp(x);
}

/// <summary>ln x.</summary>
public readonly struct LogFunction<T> : IUnaryFunction<T>
    where T : IFloatingPointIeee754<T>
{
    /// <inheritdoc/>
    public static T Apply(T x) => T.Log(x);
}

/// <summary>√x.</summary>
public readonly struct SqrtFunction<T> : IUnaryFunction<T>
    where T : IFloatingPointIeee754<T>
{
    /// <inheritdoc/>
    public static T Apply(T x) => T.Sqrt(x);
}

/// <summary>1 where x &gt; 0, else 0.</summary>
public readonly struct PositiveFunction<T> : IUnaryFunction<T>
    where T : INumber<T>
{
    /// <inheritdoc/>
    public static T Apply(T x) => x > T.Zero ? T.One : T.Zero;
}

/// <summary>The error function, to about 1e-15: a Taylor series below 2.5, the continued fraction of erfc above.</summary>
public readonly struct ErfFunction<T> : IUnaryFunction<T>
    where T : IFloatingPointIeee754<T>
{
    /// <inheritdoc/>
    public static T Apply(T x) => T.CreateTruncating(Erf(double.CreateTruncating(x)));

    private static double Erf(double x)
    {
        double t = Math.Abs(x);
        if (t < 2.5)
        {
            double term = t, sum = t;
            for (int n = 1; n < 100 && Math.Abs(term) > 1e-18; n++)
            {
                term *= -t * t / n;
                sum += term / (2 * n + 1);
            }
            return Math.CopySign(2 / Math.Sqrt(Math.PI) * sum, x);
        }
        double fraction = 0;
        for (int k = 120; k > 0; k--) fraction = k / 2.0 / (t + fraction);
        return Math.CopySign(1 - Math.Exp(-t * t) / Math.Sqrt(Math.PI) / (t + fraction), x);
    }
}
