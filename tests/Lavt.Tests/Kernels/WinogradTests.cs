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
        using GemmGuardedArray x = new(random, batch * height * width * cin), weight = new(random, cout * cin * 9);
        using GemmGuardedArray y = new(random, batch * height * width * cout), bias = new(random, cout);
        foreach (ref float value in x.Span) value = Math.Max(value, 0);
        using PackedConv packed = PackedConv.Pack(weight.Data, cin, cout);
        Assert.True(packed.IsWinograd);
        Epilogue epilogue = new() { Bias = bias.Data, Activation = Activation.Relu };
        Conv3x3.Forward(x.Data, batch, height, width, packed, y.Data, epilogue);
        double[] exact = Convolve(x.Data, batch, height, width, cin, weight.Data, cout);
        for (int i = 0; i < exact.Length; i++) exact[i] = Math.Max(exact[i] + bias.Data[i % cout], 0);
        Assert.InRange(RelativeError(y.Data, exact), 0, 1.5e-6);
    }

    [Theory]
    [InlineData(1, 12, 14, 64, 80)]
    [InlineData(2, 17, 13, 96, 64)]
    public void Gradient_of_the_data_is_within_the_bar_of_float32(int batch, int height, int width, int cin, int cout)
    {
        Random random = new(batch + height);
        using GemmGuardedArray dy = new(random, batch * height * width * cout), weight = new(random, cout * cin * 9);
        using GemmGuardedArray dx = new(random, batch * height * width * cin), turned = new(random, cout * cin * 9);
        for (int o = 0; o < cout; o++)
            for (int c = 0; c < cin; c++)
                for (int tap = 0; tap < 9; tap++)
                    turned.Data[(((c * cout) + o) * 9) + 8 - tap] = weight.Data[(((o * cin) + c) * 9) + tap];
        using GemmGuardedArray packed = new(random, checked((int)(WinogradWeights.Bytes(cout, cin) / sizeof(float))));
        WinogradWeights.Pack(weight.Data, cin, cout, forData: true, packed.Data);
        WinogradForward.Run(dy.Data, batch, height, width, cout, packed.Data, cin, dx.Data, default);
        double[] exact = Convolve(dy.Data, batch, height, width, cout, turned.Data, cin);
        Assert.InRange(RelativeError(dx.Data, exact), 0, 1.5e-6);
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
        using GemmGuardedArray x = new(random, Pixels * Cin), weight = new(random, Cout * Cin * 9);
        using GemmGuardedArray y = new(random, Pixels * Cout), residual = new(random, Pixels * Cout), before = new(random, Pixels * Cout);
        using PackedConv packed = PackedConv.Pack(weight.Data, Cin, Cout);
        double[] exact = Convolve(x.Data, 1, Height, Width, Cin, weight.Data, Cout);
        for (int i = 0; i < exact.Length; i++) exact[i] += residual.Data[i] + y.Data[i];
        Epilogue epilogue = new() { Residual = residual.Data, ResidualStride = Cout, Accumulate = true, PreActivation = before.Data };
        Conv3x3.Forward(x.Data, 1, Height, Width, packed, y.Data, epilogue);
        Assert.InRange(RelativeError(y.Data, exact), 0, 1.5e-6);
        Assert.InRange(RelativeError(before.Data, Convolve(x.Data, 1, Height, Width, Cin, weight.Data, Cout)), 0, 1.5e-6);
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_workers()
    {
        const int Batch = 2, Height = 33, Width = 41, Cin = 64, Cout = 96;
        Random random = new(2);
        using GemmGuardedArray x = new(random, Batch * Height * Width * Cin), weight = new(random, Cout * Cin * 9);
        using GemmGuardedArray y = new(random, Batch * Height * Width * Cout);
        using PackedConv packed = PackedConv.Pack(weight.Data, Cin, Cout);
        float[]? expected = null;
        foreach (int count in new[] { 1, 2, 3 })
        {
            using Workers workers = new(count);
            Workers.Use(workers);
            try
            {
                Conv3x3.Forward(x.Data, Batch, Height, Width, packed, y.Data, default);
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
