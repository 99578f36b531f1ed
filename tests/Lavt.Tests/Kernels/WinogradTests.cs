using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Kernels;

/// <summary>Winograd's method against the convolution in double precision.</summary>
public sealed unsafe class WinogradTests
{
    [Theory]
    [InlineData(1, "1x1x1", 1, 64, 64)]
    [InlineData(1, "1x12x12", 1, 64, 64)]
    [InlineData(2, "1x13x18", 1, 64, 70)]
    [InlineData(1, "1x5x3", 1, 80, 96)]
    [InlineData(1, "1x30x17", 1, 544, 65)]
    [InlineData(3, "1x15x23", 1, 64, 64)]
    [InlineData(2, "3x7x6", 1, 64, 64)]
    [InlineData(1, "1x6x7", 3, 64, 64)]
    [InlineData(2, "2x6x7", 3, 64, 70)]
    [InlineData(1, "8x13x18", 3, 64, 96)]
    [InlineData(3, "5x15x11", 3, 80, 64)]
    [InlineData(1, "50x6x5", 3, 64, 64)]
    [InlineData(1, "2x3x4", 3, 592, 592)]
    [InlineData(2, "1x7x13", 1, 512, 513)]
    [InlineData(1, "1x12x6", 1, 528, 512)]
    public void Error_is_within_the_bar_of_float32(int batch, string extents, int frames, int cin, int cout)
    {
        (Volume map, Volume kernel) = (Volumes.Parse(extents), new(frames, 3, 3));
        Assert.True(Winograd.Suits(kernel, cin, cout));
        Random random = new(batch + map.Height);
        using GuardedArray<float> x = GuardedArray<float>.Random(random, batch * map.Count * cin), weight = GuardedArray<float>.Random(random, cout * cin * kernel.Count);
        using GuardedArray<float> y = GuardedArray<float>.Random(random, batch * map.Count * cout), bias = GuardedArray<float>.Random(random, cout);
        foreach (ref float value in x.Span) value = Math.Max(value, 0);
        using PackedConv packed = PackedConv.Pack(weight.Pointer, kernel, cin, cout);
        Assert.True(packed.IsWinograd);
        Epilogue epilogue = new() { Bias = bias.Pointer, Activation = Activation.Relu };
        Convolution.Forward(x.Pointer, batch, map, packed, y.Pointer, epilogue);
        double[] exact = Convolve(x.Pointer, batch, map, cin, weight.Pointer, kernel, cout);
        for (int i = 0; i < exact.Length; i++) exact[i] = Math.Max(exact[i] + bias.Pointer[i % cout], 0);
        Assert.InRange(RelativeError(y.Pointer, exact), 0, WinogradScheme.For(cin, cout, rounded: false).IsSix ? 5e-6 : 2e-6);
    }

    [Theory]
    [InlineData(1, "1x12x14", 1, 64, 80)]
    [InlineData(2, "1x17x13", 1, 96, 64)]
    [InlineData(2, "3x8x7", 3, 64, 80)]
    public void Gradient_of_the_data_is_within_the_bar_of_float32(int batch, string extents, int frames, int cin, int cout)
    {
        (Volume map, Volume kernel) = (Volumes.Parse(extents), new(frames, 3, 3));
        int taps = kernel.Count;
        Random random = new(batch + map.Height);
        using GuardedArray<float> dy = GuardedArray<float>.Random(random, batch * map.Count * cout), weight = GuardedArray<float>.Random(random, cout * cin * taps);
        using GuardedArray<float> dx = GuardedArray<float>.Random(random, batch * map.Count * cin), turned = GuardedArray<float>.Random(random, cout * cin * taps);
        for (int o = 0; o < cout; o++)
            for (int c = 0; c < cin; c++)
                for (int tap = 0; tap < taps; tap++)
                    turned.Pointer[(((c * cout) + o) * taps) + taps - 1 - tap] = weight.Pointer[(((o * cin) + c) * taps) + tap];
        WinogradWeights weights = new(weight.Pointer, frames, cout, cin, forData: true);
        WinogradForward.Run(new ConvolutionShape(batch, map, kernel, cout, cin).Flat, dy.Pointer, weights, dx.Pointer, default);
        double[] exact = Convolve(dy.Pointer, batch, map, cout, turned.Pointer, kernel, cin);
        Assert.InRange(RelativeError(dx.Pointer, exact), 0, 2e-6);
    }

    [Theory]
    [InlineData(512, 512, false, 6)]
    [InlineData(640, 511, false, 5)]
    [InlineData(384, 768, false, 5)]
    [InlineData(512, 512, true, 5)]
    public void Many_channels_use_larger_tiles_if_not_rounded(int cin, int cout, bool rounded, int outputs) =>
        Assert.Equal(outputs, WinogradScheme.For(cin, cout, rounded).Outputs);

    [Theory]
    [InlineData(1, 31, 33, 64, 64, false)]
    [InlineData(1, 32, 32, 64, 64, true)]
    [InlineData(9, 11, 40, 64, 64, false)]
    [InlineData(1, 64, 64, 63, 64, false)]
    [InlineData(1, 64, 64, 72, 64, false)]
    [InlineData(1, 64, 64, 64, 63, false)]
    public void Weights_of_one_call_are_transformed_only_where_that_pays(int batch, int height, int width, int cin, int cout, bool suits) =>
        Assert.Equal(suits, Winograd.Suits(new ConvolutionShape(batch, Volume.Picture(height, width), new(1, 3, 3), cin, cout)));

    /// <summary>Weights that serve one call are transformed where they are used if the map is small, else before.</summary>
    [Theory]
    [InlineData("1x32x33", 1)]
    [InlineData("8x13x12", 3)]
    [InlineData("3x40x31", 3)]
    public void Where_weights_are_transformed_changes_no_bit(string extents, int frames)
    {
        const int Cin = 64, Cout = 72;
        (Volume map, Volume kernel) = (Volumes.Parse(extents), new(frames, 3, 3));
        Random random = new(3);
        using GuardedArray<float> x = GuardedArray<float>.Random(random, map.Count * Cin), weight = GuardedArray<float>.Random(random, Cout * Cin * kernel.Count);
        using GuardedArray<float> once = GuardedArray<float>.Random(random, map.Count * Cout), packedOnce = GuardedArray<float>.Random(random, map.Count * Cout);
        using PackedConv packed = PackedConv.Pack(weight.Pointer, kernel, Cin, Cout);
        Convolution.Forward(x.Pointer, 1, map, packed, packedOnce.Pointer, default);
        Convolution.Forward(x.Pointer, 1, map, Cin, weight.Pointer, kernel, Cout, once.Pointer, default);
        Assert.Equal(packedOnce.Span.ToArray(), once.Span.ToArray());
    }

    [Fact]
    public void Residual_and_accumulation_go_through_the_back_transform()
    {
        const int Height = 9, Width = 14, Cin = 64, Cout = 72, Pixels = Height * Width;
        Random random = new(1);
        using GuardedArray<float> x = GuardedArray<float>.Random(random, Pixels * Cin), weight = GuardedArray<float>.Random(random, Cout * Cin * 9);
        using GuardedArray<float> y = GuardedArray<float>.Random(random, Pixels * Cout), residual = GuardedArray<float>.Random(random, Pixels * Cout), before = GuardedArray<float>.Random(random, Pixels * Cout);
        using PackedConv packed = PackedConv.Pack(weight.Pointer, new(1, 3, 3), Cin, Cout);
        double[] exact = Convolve(x.Pointer, 1, Volume.Picture(Height, Width), Cin, weight.Pointer, new(1, 3, 3), Cout);
        for (int i = 0; i < exact.Length; i++) exact[i] += residual.Pointer[i] + y.Pointer[i];
        Epilogue epilogue = new() { Residual = residual.Pointer, ResidualStride = Cout, Accumulate = true, PreActivation = before.Pointer };
        Convolution.Forward(x.Pointer, 1, Volume.Picture(Height, Width), packed, y.Pointer, epilogue);
        Assert.InRange(RelativeError(y.Pointer, exact), 0, 2e-6);
        Assert.InRange(RelativeError(before.Pointer, Convolve(x.Pointer, 1, Volume.Picture(Height, Width), Cin, weight.Pointer, new(1, 3, 3), Cout)), 0, 2e-6);
    }

    [Theory]
    [InlineData("1x33x41", 1)]
    [InlineData("5x13x21", 3)]
    public void Bits_do_not_depend_on_the_number_of_workers(string extents, int frames)
    {
        const int Batch = 2, Cin = 64, Cout = 96;
        (Volume map, Volume kernel) = (Volumes.Parse(extents), new(frames, 3, 3));
        Random random = new(2);
        using GuardedArray<float> x = GuardedArray<float>.Random(random, Batch * map.Count * Cin), weight = GuardedArray<float>.Random(random, Cout * Cin * kernel.Count);
        using GuardedArray<float> y = GuardedArray<float>.Random(random, Batch * map.Count * Cout);
        using PackedConv packed = PackedConv.Pack(weight.Pointer, kernel, Cin, Cout);
        float[]? expected = null;
        foreach (int count in new[] { 1, 2, 3 })
        {
            using Workers workers = new(count);
            Workers.Use(workers);
            try
            {
                Convolution.Forward(x.Pointer, Batch, map, packed, y.Pointer, default);
            }
            finally
            {
                Workers.Use(null);
            }
            expected ??= y.Span.ToArray();
            Assert.Equal(expected, y.Span.ToArray());
        }
    }

    /// <summary>[batch, frames, height, width, cout] in double precision; kernels of 3x3 taps per frame.</summary>
    internal static double[] Convolve(float* x, int batch, Volume map, int cin, float* weight, Volume kernel, int cout)
    {
        double[] taps = new double[kernel.Count * cin * cout];
        for (int o = 0; o < cout; o++)
            for (int c = 0; c < cin; c++)
                for (int tap = 0; tap < kernel.Count; tap++)
                    taps[(((tap * cin) + c) * cout) + o] = weight[(((o * cin) + c) * kernel.Count) + tap];
        double[] y = new double[batch * map.Count * cout];
        Parallel.For(0, batch * map.Frames * map.Height, row =>
        {
            for (int j = 0; j < map.Width; j++)
            {
                Span<double> pixel = y.AsSpan(((row * map.Width) + j) * cout, cout);
                for (int tap = 0; tap < kernel.Count; tap++)
                {
                    int dt = (tap / 9) - (kernel.Frames / 2), dy = (tap % 9 / 3) - 1, dx = (tap % 3) - 1;
                    int frame = (row / map.Height % map.Frames) + dt, i = (row % map.Height) + dy, column = j + dx;
                    if (frame < 0 || frame >= map.Frames || i < 0 || i >= map.Height || column < 0 || column >= map.Width) continue;
                    float* source = x + ((((row + (dt * map.Height) + dy) * map.Width) + column) * cin);
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
    internal static double RelativeError(float* y, double[] exact)
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
