using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Kernels;

/// <summary>Winograd's method against the convolution in double precision.</summary>
public sealed unsafe class WinogradTests
{
    [Theory]
    [InlineData(1, 1, 1, 64, 64)]
    [InlineData(1, 12, 12, 64, 64)]
    [InlineData(2, 13, 18, 64, 70)]
    [InlineData(1, 5, 3, 80, 96)]
    [InlineData(1, 30, 17, 544, 65)]
    [InlineData(3, 15, 23, 64, 64)]
    public void Error_is_within_the_bar_of_float32(int batch, int height, int width, int cin, int cout)
    {
        Assert.True(Winograd.Suits(cin, cout));
        Random random = new(batch + height);
        using GuardedArray<float> x = GuardedArray<float>.Random(random, batch * height * width * cin), weight = GuardedArray<float>.Random(random, cout * cin * 9);
        using GuardedArray<float> y = GuardedArray<float>.Random(random, batch * height * width * cout), bias = GuardedArray<float>.Random(random, cout);
        foreach (ref float value in x.Span) value = Math.Max(value, 0);
        using PackedConv packed = PackedConv.Pack(weight.Pointer, cin, cout);
        Assert.True(packed.IsWinograd);
        Epilogue epilogue = new() { Bias = bias.Pointer, Activation = Activation.Relu };
        Conv3x3.Forward(x.Pointer, batch, height, width, packed, y.Pointer, epilogue);
        double[] exact = Convolve(x.Pointer, batch, height, width, cin, weight.Pointer, cout);
        for (int i = 0; i < exact.Length; i++) exact[i] = Math.Max(exact[i] + bias.Pointer[i % cout], 0);
        Assert.InRange(RelativeError(y.Pointer, exact), 0, 2e-6);
    }

    [Theory]
    [InlineData(1, 12, 14, 64, 80)]
    [InlineData(2, 17, 13, 96, 64)]
    public void Gradient_of_the_data_is_within_the_bar_of_float32(int batch, int height, int width, int cin, int cout)
    {
        Random random = new(batch + height);
        using GuardedArray<float> dy = GuardedArray<float>.Random(random, batch * height * width * cout), weight = GuardedArray<float>.Random(random, cout * cin * 9);
        using GuardedArray<float> dx = GuardedArray<float>.Random(random, batch * height * width * cin), turned = GuardedArray<float>.Random(random, cout * cin * 9);
        for (int o = 0; o < cout; o++)
            for (int c = 0; c < cin; c++)
                for (int tap = 0; tap < 9; tap++)
                    turned.Pointer[(((c * cout) + o) * 9) + 8 - tap] = weight.Pointer[(((o * cin) + c) * 9) + tap];
        using GuardedArray<float> packed = GuardedArray<float>.Random(random, checked((int)(WinogradWeights.Bytes(cout, cin) / sizeof(float))));
        WinogradWeights.Pack(weight.Pointer, cin, cout, forData: true, packed.Pointer);
        WinogradForward.Run(dy.Pointer, batch, height, width, cout, packed.Pointer, cin, dx.Pointer, default);
        double[] exact = Convolve(dy.Pointer, batch, height, width, cout, turned.Pointer, cin);
        Assert.InRange(RelativeError(dx.Pointer, exact), 0, 2e-6);
    }

    [Theory]
    [InlineData(1, 45, 45, 64, 64, false)]
    [InlineData(1, 46, 45, 64, 64, true)]
    [InlineData(9, 11, 40, 64, 64, false)]
    [InlineData(1, 64, 64, 63, 64, false)]
    [InlineData(1, 64, 64, 72, 64, false)]
    [InlineData(1, 64, 64, 64, 63, false)]
    public void Weights_of_one_call_are_transformed_only_where_that_pays(int batch, int height, int width, int cin, int cout, bool suits) =>
        Assert.Equal(suits, Winograd.Suits(batch, height, width, cin, cout));

    [Fact]
    public void Residual_and_accumulation_go_through_the_back_transform()
    {
        const int Height = 9, Width = 14, Cin = 64, Cout = 72, Pixels = Height * Width;
        Random random = new(1);
        using GuardedArray<float> x = GuardedArray<float>.Random(random, Pixels * Cin), weight = GuardedArray<float>.Random(random, Cout * Cin * 9);
        using GuardedArray<float> y = GuardedArray<float>.Random(random, Pixels * Cout), residual = GuardedArray<float>.Random(random, Pixels * Cout), before = GuardedArray<float>.Random(random, Pixels * Cout);
        using PackedConv packed = PackedConv.Pack(weight.Pointer, Cin, Cout);
        double[] exact = Convolve(x.Pointer, 1, Height, Width, Cin, weight.Pointer, Cout);
        for (int i = 0; i < exact.Length; i++) exact[i] += residual.Pointer[i] + y.Pointer[i];
        Epilogue epilogue = new() { Residual = residual.Pointer, ResidualStride = Cout, Accumulate = true, PreActivation = before.Pointer };
        Conv3x3.Forward(x.Pointer, 1, Height, Width, packed, y.Pointer, epilogue);
        Assert.InRange(RelativeError(y.Pointer, exact), 0, 2e-6);
        Assert.InRange(RelativeError(before.Pointer, Convolve(x.Pointer, 1, Height, Width, Cin, weight.Pointer, Cout)), 0, 2e-6);
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_workers()
    {
        const int Batch = 2, Height = 33, Width = 41, Cin = 64, Cout = 96;
        Random random = new(2);
        using GuardedArray<float> x = GuardedArray<float>.Random(random, Batch * Height * Width * Cin), weight = GuardedArray<float>.Random(random, Cout * Cin * 9);
        using GuardedArray<float> y = GuardedArray<float>.Random(random, Batch * Height * Width * Cout);
        using PackedConv packed = PackedConv.Pack(weight.Pointer, Cin, Cout);
        float[]? expected = null;
        foreach (int count in new[] { 1, 2, 3 })
        {
            using Workers workers = new(count);
            Workers.Use(workers);
            try
            {
                Conv3x3.Forward(x.Pointer, Batch, Height, Width, packed, y.Pointer, default);
            }
            finally
            {
                Workers.Use(null);
            }
            expected ??= y.Span.ToArray();
            Assert.Equal(expected, y.Span.ToArray());
        }
    }

    /// <summary>[batch, height, width, cout] in double precision.</summary>
    private static double[] Convolve(float* x, int batch, int height, int width, int cin, float* weight, int cout)
    {
        double[] taps = new double[9 * cin * cout];
        for (int o = 0; o < cout; o++)
            for (int c = 0; c < cin; c++)
                for (int tap = 0; tap < 9; tap++)
                    taps[(((tap * cin) + c) * cout) + o] = weight[(((o * cin) + c) * 9) + tap];
        double[] y = new double[batch * height * width * cout];
        Parallel.For(0, batch * height, row =>
        {
            for (int j = 0; j < width; j++)
            {
                Span<double> pixel = y.AsSpan(((row * width) + j) * cout, cout);
                for (int tap = 0; tap < 9; tap++)
                {
                    int i = (row % height) + (tap / 3) - 1, column = j + (tap % 3) - 1;
                    if (i < 0 || i >= height || column < 0 || column >= width) continue;
                    float* source = x + ((((row + (tap / 3) - 1) * width) + column) * cin);
                    for (int c = 0; c < cin; c++)
                    {
                        ReadOnlySpan<double> w = taps.AsSpan(((tap * cin) + c) * cout, cout);
                        for (int o = 0; o < cout; o++) pixel[o] += source[c] * w[o];
                    }
                }
            }
        });
        return y;
    }

    /// <summary>‖y − exact‖ / ‖exact‖.</summary>
    private static double RelativeError(float* y, double[] exact)
    {
        double error = 0, norm = 0;
        for (int i = 0; i < exact.Length; i++)
        {
            error += (y[i] - exact[i]) * (y[i] - exact[i]);
            norm += exact[i] * exact[i];
        }
        return Math.Sqrt(error / norm);
    }
}
