using Lavt.Kernels.Cpu;
using Xunit;
using static Lavt.Tests.Kernels.KernelTesting;

namespace Lavt.Tests.Kernels;

public unsafe class InstanceNormTests
{
    private const float Eps = 1e-5f;

    [Theory]
    [InlineData(0, 5, 4)]
    [InlineData(1, 1, 3)]
    [InlineData(2, 2, 1)]
    [InlineData(3, 7, 15)]
    [InlineData(1, 37, 16)]
    [InlineData(2, 100, 17)]
    [InlineData(2, 1601, 35)]
    public void Forward_equals_double_precision(int batch, int tokens, int channels)
    {
        float[] x = Uniform(batch * tokens * channels, 1, -1, 2);
        float[] y = Forward(x, batch, tokens, channels, out float[] mean, out float[] rstd);
        (double[] expected, double[] means, double[] rstds) = Reference(ToDouble(x), batch, tokens, channels);
        AssertClose(expected, y, 5e-7);
        AssertClose(means, mean, 2e-7, "mean");
        AssertClose(rstds, rstd, 3e-7, "rstd");
    }

    [Theory]
    [InlineData(100, 0.01)]
    [InlineData(-3, 1e-4)]
    [InlineData(5000, 1)]
    public void A_large_mean_costs_no_accuracy(double mean, double deviation)
    {
        const int tokens = 900, channels = 20;
        float[] x = Uniform(tokens * channels, 1, mean - deviation, mean + deviation);
        float[] y = Forward(x, 1, tokens, channels, out _, out _);
        AssertClose(Reference(ToDouble(x), 1, tokens, channels).Y, y, 5e-7);
    }

    [Fact]
    public void An_outlier_costs_no_accuracy()
    {
        const int tokens = 900, channels = 3;
        float[] x = Uniform(tokens * channels, 1);
        x[0] = 1e4f;
        x[^1] = -3e5f;
        float[] y = Forward(x, 1, tokens, channels, out _, out _);
        AssertClose(Reference(ToDouble(x), 1, tokens, channels).Y, y, 5e-7);
    }

    [Fact]
    public void A_constant_channel_becomes_zero()
    {
        float[] x = new float[50 * 5];
        Array.Fill(x, 1.1f);
        Assert.All(Forward(x, 1, 50, 5, out _, out _), value => Assert.Equal(0, value, 1e-5f));
    }

    [Theory]
    [InlineData(1, 2, 1)]
    [InlineData(2, 9, 5)]
    [InlineData(2, 21, 17)]
    public void Backward_equals_central_differences(int batch, int tokens, int channels)
    {
        float[] x = Uniform(batch * tokens * channels, 1, -1, 2), dy = Uniform(x.Length, 2);
        double[] expected = CentralDifferences(v => Dot(Reference(v, batch, tokens, channels).Y, dy), ToDouble(x));
        AssertClose(expected, Backward(x, dy, batch, tokens, channels, fromOutput: true), tokens == 2 ? 1e-3 : 3e-6, "dx from y");
        AssertClose(expected, Backward(x, dy, batch, tokens, channels, fromOutput: false), tokens == 2 ? 1e-3 : 3e-6, "dx from x");
    }

    [Fact]
    public void Result_does_not_depend_on_the_number_of_workers()
    {
        float[] x = Uniform(3 * 1000 * 40, 1), dy = Uniform(x.Length, 2);
        AssertIndependentOfWorkers(() => [.. Forward(x, 3, 1000, 40, out _, out _), .. Backward(x, dy, 3, 1000, 40, true)]);
    }

    private static float[] Forward(float[] x, int batch, int tokens, int channels, out float[] mean, out float[] rstd)
    {
        using GuardedArray<float> xs = new(x), y = new(x.Length), means = new(batch * channels), rstds = new(batch * channels);
        InstanceNorm.Forward(xs, y, means, rstds, batch, tokens, channels, Eps);
        mean = means.ToArray();
        rstd = rstds.ToArray();
        InstanceNorm.Forward(xs, xs, null, null, batch, tokens, channels, Eps);
        Assert.Equal(y.ToArray(), xs.ToArray());
        return y.ToArray();
    }

    private static float[] Backward(float[] x, float[] dy, int batch, int tokens, int channels, bool fromOutput)
    {
        float[] y = Forward(x, batch, tokens, channels, out float[] mean, out float[] rstd);
        using GuardedArray<float> xs = new(x), ys = new(y), means = new(mean), rstds = new(rstd), dys = new(dy), dx = new(x.Length);
        if (fromOutput) InstanceNorm.Backward(ys, null, null, rstds, dys, dx, batch, tokens, channels);
        else InstanceNorm.Backward(null, xs, means, rstds, dys, dx, batch, tokens, channels);
        return dx.ToArray();
    }

    private static (double[] Y, double[] Mean, double[] Rstd) Reference(double[] x, int batch, int tokens, int channels)
    {
        double[] y = new double[x.Length], means = new double[batch * channels], rstds = new double[batch * channels];
        for (int i = 0; i < batch * channels; i++)
        {
            int first = i / channels * tokens * channels + i % channels;
            double mean = 0, variance = 0;
            for (int t = 0; t < tokens; t++) mean += x[first + t * channels] / tokens;
            for (int t = 0; t < tokens; t++) variance += Math.Pow(x[first + t * channels] - mean, 2) / tokens;
            (means[i], rstds[i]) = (mean, 1 / Math.Sqrt(variance + Eps));
            for (int t = 0; t < tokens; t++) y[first + t * channels] = (x[first + t * channels] - mean) * rstds[i];
        }
        return (y, means, rstds);
    }
}
