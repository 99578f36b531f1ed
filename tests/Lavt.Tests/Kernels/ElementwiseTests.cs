using Lavt.Kernels.Cpu;
using Xunit;
using static Lavt.Tests.Kernels.KernelTesting;

namespace Lavt.Tests.Kernels;

public unsafe class ElementwiseTests
{
    public static TheoryData<int> Sizes => [0, 1, 3, 4, 5, 8, 9, 15, 16, 17, 33, 16384, 36401];

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Arithmetic_equals_plain_loops(int n)
    {
        float[] a = Uniform(n, 1), b = Uniform(n, 2), x = Uniform(n, 3);
        using GuardedArray<float> aa = new(a), bb = new(b), xx = new(x), y = new(n);
        Elementwise.Add(aa, bb, y, n);
        Check((i) => (double)a[i] + b[i], y);
        Elementwise.Multiply(aa, bb, y, n);
        Check((i) => (double)a[i] * b[i], y);
        Elementwise.Scale(aa, -0.3f, y, n);
        Check((i) => (double)a[i] * -0.3f, y);
        Elementwise.Gate(aa, bb, xx, y, n);
        Check((i) => (double)a[i] * b[i] + x[i], y);
        Elementwise.AddTo(aa, bb, n);
        Check((i) => (double)a[i] + b[i], aa);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Gradient_of_a_product(int n)
    {
        float[] a = Uniform(n, 1), b = Uniform(n, 2), dy = Uniform(n, 3);
        using GuardedArray<float> aa = new(a), bb = new(b), dyy = new(dy), da = new(n), db = new(n);
        Elementwise.MultiplyBackward(aa, bb, dyy, da, db, n);
        Check((i) => (double)dy[i] * b[i], da);
        Check((i) => (double)dy[i] * a[i], db);
        Elementwise.MultiplyBackward(aa, bb, dyy, null, dyy, n);
        Check((i) => (double)dy[i] * a[i], dyy);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Functions_and_derivatives(int n)
    {
        CheckUnary<Gelu>(n, x => 0.5 * x * Erfc(-x / Math.Sqrt(2)));
        CheckUnary<Tanh>(n, Math.Tanh);
        CheckUnary<Sigmoid>(n, x => 1 / (1 + Math.Exp(-x)));
        CheckUnary<Relu>(n, x => Math.Max(x, 0));
    }

    [Fact]
    public void Relu_keeps_NaN_and_has_no_slope_at_zero()
    {
        float[] x = [-1, 0, 2, float.NaN, 5];
        using GuardedArray<float> xs = new(x), y = new(5), dy = new([3, 3, 3, 3, 3]), dx = new(5);
        Elementwise.Forward<Relu>(xs, y, 5);
        Assert.Equal([0, 0, 2, float.NaN, 5], y.ToArray());
        Elementwise.Backward<Relu>(null, y, dy, dx, 3);
        Assert.Equal([0, 0, 3], dx.ToArray()[..3]);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Sum_of_squares(int n)
    {
        float[] x = Uniform(n, 1, -1, 3);
        double expected = 0;
        foreach (float value in x) expected += (double)value * value;
        using GuardedArray<float> xs = new(x);
        Assert.Equal(expected, Elementwise.SumOfSquares(xs, n), expected * 1e-7);
    }

    [Fact]
    public void Sums_do_not_depend_on_the_number_of_workers()
    {
        float[] x = Uniform(200_003, 1);
        AssertIndependentOfWorkers(() =>
        {
            using GuardedArray<float> xs = new(x);
            double sum = Elementwise.SumOfSquares(xs, x.Length);
            return [(float)sum, (float)(sum - (float)sum)];
        });
    }

    private static void CheckUnary<TOp>(int n, Func<double, double> f)
        where TOp : struct, IUnaryOp
    {
        // Away from 0, where central differences straddle the kink of ReLU.
        float[] x = Array.ConvertAll(Uniform(n, 1, -6, 6), v => MathF.Abs(v) < 1e-3f ? 1e-3f : v), dy = Uniform(n, 2);
        using GuardedArray<float> xs = new(x), y = new(n), dys = new(dy), dx = new(n);
        Elementwise.Forward<TOp>(xs, y, n);
        Check(i => f(x[i]), y, 6e-7, 1);
        Elementwise.Backward<TOp>(TOp.DerivativeReadsInput ? xs : (float*)null, TOp.DerivativeReadsOutput ? y : (float*)null, dys, dx, n);
        const double step = 1e-4;
        Check(i => dy[i] * (f(x[i] + step) - f(x[i] - step)) / (2 * step), dx, 1e-6, 1);
        Elementwise.Forward<TOp>(xs, xs, n);
        Assert.Equal(y.ToArray(), xs.ToArray());
    }

    private static void Check(Func<int, double> expected, GuardedArray<float> actual, double tolerance = 1.2e-7, double floor = 1e-30)
    {
        float[] values = actual.ToArray();
        double[] wanted = new double[values.Length];
        for (int i = 0; i < wanted.Length; i++) wanted[i] = expected(i);
        AssertClose(wanted, values, tolerance, floor: floor);
    }

    // The series of erf near 0 and the continued fraction of erfc beyond.
    private static double Erfc(double x)
    {
        double z = Math.Abs(x), result;
        if (z < 2.5)
        {
            double sum = 0, term = z;
            for (int k = 0; k < 80; k++)
            {
                sum += term / (2 * k + 1);
                term *= -z * z / (k + 1);
            }
            result = 1 - 2 / Math.Sqrt(Math.PI) * sum;
        }
        else
        {
            double fraction = 0;
            for (int k = 60; k >= 1; k--) fraction = k / 2.0 / (z + fraction);
            result = Math.Exp(-z * z) / Math.Sqrt(Math.PI) / (z + fraction);
        }
        return x >= 0 ? result : 2 - result;
    }
}
