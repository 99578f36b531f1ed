using System.Globalization;
using Lavt.Golden;
using Lavt.Kernels.Cpu;
using Lavt.Tests.Golden;
using Xunit;
using static Lavt.Tests.Kernels.KernelTesting;

namespace Lavt.Tests.Kernels;

public unsafe class AdamWTests
{
    [Theory]
    [InlineData("adamw")]
    [InlineData("adamw_amsgrad")]
    public void Eight_steps_as_PyTorch_makes_them(string name)
    {
        const int Count = 64, Steps = 8;
        using GoldenFile file = new(GoldenTests.PathOf($"training/{name}.safetensors"));
        double[] betas = [.. file["betas"].Split(',').Select(Number)];
        float[] expected = file.Read("parameter").ToArray<float>();
        using GuardedArray<float> parameter = new(Deterministic.Uniform("parameter", [Count]).ToArray<float>());
        using GuardedArray<float> first = new(new float[Count]), second = new(new float[Count]), largest = new(new float[Count]);
        for (int step = 0; step < Steps; step++)
        {
            float scale = (float)Math.Pow(10, step % 3 - 1);
            using GuardedArray<float> gradient = new(Array.ConvertAll(Deterministic.Uniform($"gradient.{step}", [Count]).ToArray<float>(), g => g * scale));
            AdamW.Step(parameter, gradient, first, second, name == "adamw" ? null : (float*)largest, Count, Number(file["lr"]), betas[0], betas[1], Number(file["eps"]), Number(file["weight_decay"]), step + 1, 1);
            for (int i = 0; i < Count; i++) Assert.Equal(expected[step * Count + i], parameter.Span[i], 1.5e-7);
        }
    }

    [Theory]
    [InlineData(0, false)]
    [InlineData(1, true)]
    [InlineData(17, false)]
    [InlineData(31, true)]
    [InlineData(16384 + 5, true)]
    public void Any_length_with_scaled_gradients(int count, bool amsgrad)
    {
        const double Rate = 3e-3, Beta1 = 0.8, Beta2 = 0.95, Epsilon = 1e-6, Decay = 0.2, GradientScale = 0.125;
        float[] start = Uniform(count, 1);
        using GuardedArray<float> parameter = new(start), first = new(new float[count]), second = new(new float[count]), largest = new(new float[count]);
        double[] p = Array.ConvertAll(start, v => (double)v), m = new double[count], v = new double[count], top = new double[count];
        for (int step = 1; step <= 3; step++)
        {
            float[] values = Uniform(count, step + 1, -4 / step, 4 / step);
            using GuardedArray<float> gradient = new(values);
            AdamW.Step(parameter, gradient, first, second, amsgrad ? (float*)largest : null, count, Rate, Beta1, Beta2, Epsilon, Decay, step, GradientScale);
            for (int i = 0; i < count; i++)
            {
                double g = values[i] * GradientScale;
                m[i] = Beta1 * m[i] + (1 - Beta1) * g;
                v[i] = Beta2 * v[i] + (1 - Beta2) * g * g;
                top[i] = Math.Max(top[i], v[i]);
                double denominator = Math.Sqrt(amsgrad ? top[i] : v[i]) / Math.Sqrt(1 - Math.Pow(Beta2, step)) + Epsilon;
                p[i] = p[i] * (1 - Rate * Decay) - Rate / (1 - Math.Pow(Beta1, step)) * m[i] / denominator;
            }
        }
        for (int i = 0; i < count; i++)
        {
            Assert.Equal(p[i], parameter.Span[i], 4e-7);
            Assert.Equal(m[i], first.Span[i], 1e-6);
            Assert.Equal(v[i], second.Span[i], 1e-6);
            if (amsgrad) Assert.Equal(top[i], largest.Span[i], 1e-6);
        }
    }

    [Fact]
    public void Does_not_depend_on_workers() => AssertIndependentOfWorkers(() =>
    {
        const int Count = 40001;
        using GuardedArray<float> parameter = new(Uniform(Count, 1)), gradient = new(Uniform(Count, 2)), first = new(new float[Count]), second = new(new float[Count]);
        AdamW.Step(parameter, gradient, first, second, null, Count, 1e-2, 0.9, 0.999, 1e-8, 0.01, 1, 1);
        return parameter.ToArray();
    });

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
