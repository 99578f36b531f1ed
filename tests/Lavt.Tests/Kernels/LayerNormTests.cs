using Lavt.Kernels.Cpu;
using Xunit;
using static Lavt.Tests.Kernels.KernelTesting;

namespace Lavt.Tests.Kernels;

public unsafe class LayerNormTests
{
    private const float Eps = 1e-5f;

    [Theory]
    [InlineData(0, 8)]
    [InlineData(3, 1)]
    [InlineData(2, 15)]
    [InlineData(5, 16)]
    [InlineData(4, 17)]
    [InlineData(1, 64)]
    [InlineData(7, 67)]
    [InlineData(300, 96)]
    public void Forward_equals_double_precision(int rows, int channels)
    {
        float[] x = Uniform(rows * channels, 1, -2, 5), gamma = Uniform(channels, 2, 0.5, 1.5), beta = Uniform(channels, 3);
        float[] y = Forward(x, gamma, beta, rows, channels, out float[] mean, out float[] rstd);
        AssertClose(Reference(ToDouble(x), ToDouble(gamma), ToDouble(beta), rows, channels), y, 1e-6);
        for (int row = 0; row < rows; row++)
        {
            (double m, double r) = Statistics(ToDouble(x), row, channels);
            Assert.Equal(m, mean[row], 1e-5);
            Assert.Equal(1, rstd[row] / r, 1e-5);
        }
    }

    [Fact]
    public void Forward_keeps_its_accuracy_when_the_mean_is_large()
    {
        float[] x = Uniform(3 * 128, 1, 999, 1001), ones = Uniform(128, 2, 1, 1), zeros = new float[128];
        float[] y = Forward(x, ones, zeros, 3, 128, out _, out _);
        AssertClose(Reference(ToDouble(x), ToDouble(ones), ToDouble(zeros), 3, 128), y, 1e-4);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 7)]
    [InlineData(2, 16)]
    [InlineData(5, 33)]
    public void Backward_equals_central_differences(int rows, int channels)
    {
        float[] x = Uniform(rows * channels, 1, -2, 3), gamma = Uniform(channels, 2, 0.5, 1.5), beta = Uniform(channels, 3), dy = Uniform(rows * channels, 4);
        (float[] dx, float[] dGamma, float[] dBeta) = Backward(x, gamma, beta, dy, rows, channels);
        double[] x64 = ToDouble(x), gamma64 = ToDouble(gamma), beta64 = ToDouble(beta);
        AssertClose(CentralDifferences(v => Dot(Reference(v, gamma64, beta64, rows, channels), dy), x64), dx, channels == 1 ? 1e30 : 3e-6, "dx");
        AssertClose(CentralDifferences(v => Dot(Reference(x64, v, beta64, rows, channels), dy), gamma64), dGamma, channels == 1 ? 1e30 : 3e-6, "dGamma");
        AssertClose(CentralDifferences(v => Dot(Reference(x64, gamma64, v, rows, channels), dy), beta64), dBeta, 3e-6, "dBeta");
        if (channels == 1) Assert.All(dx, value => Assert.Equal(0, value, 1e-4f)); // rstd is 316 here
    }

    [Fact]
    public void Parameter_gradients_over_many_rows_equal_double_precision()
    {
        const int rows = 3001, channels = 40;
        float[] x = Uniform(rows * channels, 1), gamma = Uniform(channels, 2), beta = Uniform(channels, 3), dy = Uniform(rows * channels, 4);
        (_, float[] dGamma, float[] dBeta) = Backward(x, gamma, beta, dy, rows, channels);
        double[] x64 = ToDouble(x), expectedGamma = new double[channels], expectedBeta = new double[channels];
        for (int row = 0; row < rows; row++)
        {
            (double mean, double rstd) = Statistics(x64, row, channels);
            for (int c = 0; c < channels; c++)
            {
                expectedGamma[c] += dy[row * channels + c] * (x[row * channels + c] - mean) * rstd;
                expectedBeta[c] += dy[row * channels + c];
            }
        }
        AssertClose(expectedGamma, dGamma, 1e-6, "dGamma");
        AssertClose(expectedBeta, dBeta, 1e-6, "dBeta");
    }

    [Fact]
    public void Result_does_not_depend_on_the_number_of_workers()
    {
        const int rows = 2000, channels = 48;
        float[] x = Uniform(rows * channels, 1), gamma = Uniform(channels, 2), beta = Uniform(channels, 3), dy = Uniform(rows * channels, 4);
        AssertIndependentOfWorkers(() =>
        {
            (float[] dx, float[] dGamma, float[] dBeta) = Backward(x, gamma, beta, dy, rows, channels);
            return [.. dx, .. dGamma, .. dBeta];
        });
    }

    private static float[] Forward(float[] x, float[] gamma, float[] beta, int rows, int channels, out float[] mean, out float[] rstd)
    {
        using GuardedArray<float> xs = new(x), gammas = new(gamma), betas = new(beta), ys = new(x.Length), means = new(rows), rstds = new(rows);
        LayerNorm.Forward(xs, gammas, betas, ys, means, rstds, rows, channels, Eps);
        mean = means.ToArray();
        rstd = rstds.ToArray();
        LayerNorm.Forward(xs, gammas, betas, xs, null, null, rows, channels, Eps);
        Assert.Equal(ys.ToArray(), xs.ToArray());
        return ys.ToArray();
    }

    private static (float[] Dx, float[] DGamma, float[] DBeta) Backward(float[] x, float[] gamma, float[] beta, float[] dy, int rows, int channels)
    {
        Forward(x, gamma, beta, rows, channels, out float[] mean, out float[] rstd);
        using GuardedArray<float> xs = new(x), gammas = new(gamma), means = new(mean), rstds = new(rstd), dys = new(dy);
        using GuardedArray<float> dx = new(x.Length), dGamma = new(channels), dBeta = new(channels);
        LayerNorm.Backward(xs, gammas, means, rstds, dys, dx, dGamma, dBeta, rows, channels);
        return (dx.ToArray(), dGamma.ToArray(), dBeta.ToArray());
    }

    private static (double Mean, double Rstd) Statistics(double[] x, int row, int channels)
    {
        ReadOnlySpan<double> values = x.AsSpan(row * channels, channels);
        double mean = 0, variance = 0;
        foreach (double value in values) mean += value / channels;
        foreach (double value in values) variance += (value - mean) * (value - mean) / channels;
        return (mean, 1 / Math.Sqrt(variance + Eps));
    }

    private static double[] Reference(double[] x, double[] gamma, double[] beta, int rows, int channels)
    {
        double[] y = new double[x.Length];
        for (int row = 0; row < rows; row++)
        {
            (double mean, double rstd) = Statistics(x, row, channels);
            for (int c = 0; c < channels; c++)
                y[row * channels + c] = (x[row * channels + c] - mean) * rstd * gamma[c] + beta[c];
        }
        return y;
    }
}
