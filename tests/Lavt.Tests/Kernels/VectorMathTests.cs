using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Kernels;

public unsafe class VectorMathTests
{
    private delegate void Evaluate(float* x, float* y);

    [Theory]
    [InlineData("exp", -87.0, 88.0, 2.5e-7)]
    [InlineData("erf", -6.0, 6.0, 2e-7)]
    [InlineData("tanh", -10.0, 10.0, 2.5e-7)]
    [InlineData("sigmoid", -30.0, 30.0, 4e-7)]
    public void Relative_error_is_a_few_units_in_the_last_place(string name, double low, double high, double bound)
    {
        Func<double, double> exact = Exact(name);
        Check(name, low, high, (x, y) => Math.Abs(y - exact(x)) / Math.Abs(exact(x)), bound);
    }

    [Fact]
    public void Gelu_is_exact_to_rounding()
    {
        Check("gelu", -10, 10, (x, y) => Math.Abs(y - Exact("gelu")(x)) / Math.Max(1, Math.Abs(x)), 1.5e-7);
        Check("gelu'", -10, 10, (x, y) => Math.Abs(y - GeluDerivative(x)), 4e-7);
    }

    [Fact]
    public void Extremes()
    {
        float* x = stackalloc float[16];
        float* y = stackalloc float[16];
        new Span<float>(x, 16).Fill(-1e4f);
        Kernel("exp")(x, y);
        Assert.Equal(0f, y[0]);
        new Span<float>(x, 16).Fill(0f);
        Kernel("exp")(x, y);
        Assert.Equal(1f, y[0]);
        new Span<float>(x, 16).Fill(-50f);
        Kernel("erf")(x, y);
        Assert.Equal(-1f, y[0]);
        Kernel("tanh")(x, y);
        Assert.Equal(-1f, y[0]);
    }

    [Theory]
    [InlineData("exp")]
    [InlineData("erf")]
    [InlineData("tanh")]
    [InlineData("sigmoid")]
    [InlineData("gelu")]
    public void Not_a_number_stays_so(string name)
    {
        float* x = stackalloc float[16];
        float* y = stackalloc float[16];
        new Span<float>(x, 16).Fill(float.NaN);
        Kernel(name)(x, y);
        Assert.True(float.IsNaN(y[0]));
    }

    private static void Check(string name, double low, double high, Func<double, float, double> error, double bound)
    {
        float* x = stackalloc float[16];
        float* y = stackalloc float[16];
        Evaluate kernel = Kernel(name);
        for (int block = 0; block < 4000; block++)
        {
            for (int i = 0; i < 16; i++) x[i] = (float)(low + (high - low) * (block * 16 + i + 0.37) / 64000);
            kernel(x, y);
            for (int i = 0; i < 16; i++)
                Assert.True(error(x[i], y[i]) <= bound, $"{name}({x[i]:R}) = {y[i]:R}, error {error(x[i], y[i]):E2} > {bound:E2}");
        }
    }

    private static Evaluate Kernel(string name) => CpuInfo.VectorBits switch
    {
        512 => (x, y) => Run<F512>(name, x, y),
        256 => (x, y) => Run<F256>(name, x, y),
        _ => (x, y) => Run<F128>(name, x, y),
    };

    private static void Run<V>(string name, float* x, float* y)
        where V : struct, ISimd<V>
    {
        for (int i = 0; i < 16; i += V.Width)
        {
            V v = V.Load(x + i);
            V.Store(name switch
            {
                "exp" => VectorMath.Exp(v),
                "erf" => VectorMath.Erf(v),
                "tanh" => VectorMath.Tanh(v),
                "sigmoid" => VectorMath.Sigmoid(v),
                "gelu" => VectorMath.Gelu(v),
                _ => VectorMath.GeluDerivative(v),
            }, y + i);
        }
    }

    private static Func<double, double> Exact(string name) => name switch
    {
        "exp" => Math.Exp,
        "erf" => Erf,
        "tanh" => Math.Tanh,
        "sigmoid" => x => 1 / (1 + Math.Exp(-x)),
        _ => x => 0.5 * x * (1 + Erf(x / Math.Sqrt(2))),
    };

    private static double GeluDerivative(double x) => 0.5 * (1 + Erf(x / Math.Sqrt(2))) + x * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);

    /// <summary>Taylor series for small |x|, continued fraction of erfc for large: good to 1e-14.</summary>
    private static double Erf(double x)
    {
        double t = Math.Abs(x), result;
        if (t < 2.5)
        {
            double term = t, sum = t;
            for (int n = 1; n < 80; n++)
            {
                term *= -t * t / n;
                sum += term / (2 * n + 1);
            }
            result = 2 / Math.Sqrt(Math.PI) * sum;
        }
        else
        {
            double f = 0;
            for (int k = 120; k > 0; k--) f = k / 2.0 / (t + f);
            result = 1 - Math.Exp(-t * t) / Math.Sqrt(Math.PI) / (t + f);
        }
        return Math.CopySign(result, x);
    }
}
