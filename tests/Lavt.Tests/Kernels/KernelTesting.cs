using Lavt.Kernels;
using Xunit;

namespace Lavt.Tests.Kernels;

/// <summary>What the tests of kernels share: inputs, comparison with double precision, central differences.</summary>
internal static class KernelTesting
{
    public static float[] Uniform(int count, int seed, double low = -1, double high = 1)
    {
        Random random = new(seed);
        float[] values = new float[count];
        for (int i = 0; i < count; i++) values[i] = (float)(low + (high - low) * random.NextDouble());
        return values;
    }

    public static double[] ToDouble(float[] values) => Array.ConvertAll(values, v => (double)v);

    /// <summary>Each value within <paramref name="tolerance"/> times the largest magnitude, or times <paramref name="floor"/> if that is larger.</summary>
    public static void AssertClose(double[] expected, float[] actual, double tolerance, string what = "values", double floor = 1e-30)
    {
        Assert.Equal(expected.Length, actual.Length);
        double largest = floor;
        foreach (double value in expected) largest = Math.Max(largest, Math.Abs(value));
        for (int i = 0; i < expected.Length; i++)
        {
            // Written so that NaN fails.
            bool close = Math.Abs(expected[i] - actual[i]) <= tolerance * largest;
            Assert.True(close, $"{what}[{i}]: expected {expected[i]:R}, got {actual[i]:R} (largest {largest:G4}, tolerance {tolerance:G2})");
        }
    }

    /// <summary>The gradient of <paramref name="function"/> at <paramref name="at"/>.</summary>
    public static double[] CentralDifferences(Func<double[], double> function, double[] at, double step = 1e-5)
    {
        double[] gradient = new double[at.Length];
        double[] moved = (double[])at.Clone();
        for (int i = 0; i < at.Length; i++)
        {
            moved[i] = at[i] + step;
            double above = function(moved);
            moved[i] = at[i] - step;
            double below = function(moved);
            moved[i] = at[i];
            gradient[i] = (above - below) / (2 * step);
        }
        return gradient;
    }

    public static double Dot(double[] a, float[] b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += a[i] * b[i];
        return sum;
    }

    /// <summary>The same bits with any number of workers.</summary>
    public static void AssertIndependentOfWorkers(Func<float[]> compute)
    {
        float[]? first = null;
        foreach (int count in (int[])[1, 2, 3, 5])
        {
            using Workers workers = new(count);
            Workers.Use(workers);
            try
            {
                float[] result = compute();
                first ??= result;
                Assert.Equal(Array.ConvertAll(first, BitConverter.SingleToInt32Bits), Array.ConvertAll(result, BitConverter.SingleToInt32Bits));
            }
            finally
            {
                Workers.Use(null);
            }
        }
    }
}
