using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Kernels;

/// <summary>Winograd's method with products of int16 against the convolution in double precision.</summary>
public sealed unsafe class WinogradRoundingTests
{
    [Theory]
    [InlineData(1, "1x1x1", 1, 64, 64)]
    [InlineData(2, "1x13x18", 1, 64, 70)]
    [InlineData(1, "1x5x3", 1, 96, 96)]
    [InlineData(1, "1x30x17", 1, 544, 65)]
    [InlineData(3, "1x15x23", 1, 160, 64)]
    [InlineData(1, "8x13x18", 3, 64, 96)]
    [InlineData(3, "5x15x11", 3, 96, 64)]
    [InlineData(1, "1x7x13", 1, 512, 513)]
    public void Error_is_below_that_of_bfloat16(int batch, string extents, int frames, int cin, int cout)
    {
        (Volume map, Volume kernel) = (Volumes.Parse(extents), new(frames, 3, 3));
        Random random = new(batch + map.Height);
        using GuardedArray<float> x = GuardedArray<float>.Random(random, batch * map.Count * cin), weight = GuardedArray<float>.Random(random, cout * cin * kernel.Count);
        using GuardedArray<float> y = GuardedArray<float>.Random(random, batch * map.Count * cout);

        // Channels of very different sizes, as after batch norm and ReLU.
        for (int i = 0; i < x.Span.Length; i++) x.Pointer[i] = Math.Max(x.Pointer[i], 0) * MathF.ScaleB(1, i % cin % 7);
        using PackedConv packed = PackedConv.Pack(weight.Pointer, kernel, cin, cout, rounded: true);
        Convolution.Forward(x.Pointer, batch, map, packed, y.Pointer, default);
        double error = WinogradTests.RelativeError(y.Pointer, WinogradTests.Convolve(x.Pointer, batch, map, cin, weight.Pointer, kernel, cout));
        Assert.InRange(error, 1e-5, 1.5e-3);
    }

    /// <summary>Where inputs and weights are proportional the sums are as large as they can be: next to the end of int32.</summary>
    [Theory]
    [InlineData(64, 0f)]
    [InlineData(128, 0f)]
    [InlineData(512, 0f)]
    [InlineData(128, 1e4f)]
    [InlineData(160, 1e-3f)]
    public void The_largest_sums_do_not_overflow(int cin, float first)
    {
        const int Side = 12, Cout = 64;
        float[] channels = [.. Enumerable.Range(0, cin).Select(c => c == 0 && first != 0 ? first : 1f)];
        using GuardedArray<float> x = new([.. Enumerable.Range(0, Side * Side * cin).Select(i => channels[i % cin])]);
        using GuardedArray<float> weight = new([.. Enumerable.Range(0, Cout * cin * 9).Select(i => -channels[i / 9 % cin])]);
        using GuardedArray<float> y = new(Side * Side * Cout);
        using PackedConv packed = PackedConv.Pack(weight.Pointer, new(1, 3, 3), cin, Cout, rounded: true);
        Convolution.Forward(x.Pointer, 1, Volume.Picture(Side, Side), packed, y.Pointer, default);
        double[] exact = WinogradTests.Convolve(x.Pointer, 1, Volume.Picture(Side, Side), cin, weight.Pointer, new(1, 3, 3), Cout);
        Assert.InRange(WinogradTests.RelativeError(y.Pointer, exact), 0, 1e-3);
    }

    [Fact]
    public void Zeros_give_zeros_and_what_is_not_a_number_stays_so()
    {
        const int Side = 15, Cin = 64, Cout = 64;
        Random random = new(5);
        using GuardedArray<float> x = new(Side * Side * Cin), y = new(Side * Side * Cout), weight = GuardedArray<float>.Random(random, Cout * Cin * 9);
        using PackedConv packed = PackedConv.Pack(weight.Pointer, new(1, 3, 3), Cin, Cout, rounded: true);
        x.Span.Clear();
        Convolution.Forward(x.Pointer, 1, Volume.Picture(Side, Side), packed, y.Pointer, default);
        Assert.All(y.Span.ToArray(), value => Assert.Equal(0, value));
        x.Pointer[7] = float.NaN;
        Convolution.Forward(x.Pointer, 1, Volume.Picture(Side, Side), packed, y.Pointer, default);
        Assert.All(y.Span[..Cout].ToArray(), value => Assert.True(float.IsNaN(value)));
        Assert.All(y.Span[^Cout..].ToArray(), value => Assert.Equal(0, value));
    }

    [Fact]
    public void Channels_that_do_not_fill_pairs_of_vectors_stay_float32()
    {
        const int Side = 12, Cin = 80, Cout = 64;
        Random random = new(6);
        using GuardedArray<float> x = GuardedArray<float>.Random(random, Side * Side * Cin), weight = GuardedArray<float>.Random(random, Cout * Cin * 9);
        using GuardedArray<float> exact = new(Side * Side * Cout), rounded = new(Side * Side * Cout);
        using PackedConv packed = PackedConv.Pack(weight.Pointer, new(1, 3, 3), Cin, Cout), asRounded = PackedConv.Pack(weight.Pointer, new(1, 3, 3), Cin, Cout, rounded: true);
        Convolution.Forward(x.Pointer, 1, Volume.Picture(Side, Side), packed, exact.Pointer, default);
        Convolution.Forward(x.Pointer, 1, Volume.Picture(Side, Side), asRounded, rounded.Pointer, default);
        Assert.Equal(exact.Span.ToArray(), rounded.Span.ToArray());
    }

    [Fact]
    public void Bits_do_not_depend_on_the_number_of_workers()
    {
        const int Batch = 2, Side = 33, Cin = 160, Cout = 96;
        Random random = new(2);
        using GuardedArray<float> x = GuardedArray<float>.Random(random, Batch * Side * Side * Cin), weight = GuardedArray<float>.Random(random, Cout * Cin * 9);
        using GuardedArray<float> y = new(Batch * Side * Side * Cout);
        float[]? expected = null;
        foreach (int count in new[] { 1, 2, 3 })
        {
            using Workers workers = new(count);
            Workers.Use(workers);
            try
            {
                using PackedConv packed = PackedConv.Pack(weight.Pointer, new(1, 3, 3), Cin, Cout, rounded: true);
                Convolution.Forward(x.Pointer, Batch, Volume.Picture(Side, Side), packed, y.Pointer, default);
            }
            finally
            {
                Workers.Use(null);
            }
            expected ??= y.Span.ToArray();
            Assert.Equal(expected, y.Span.ToArray());
        }
    }
}
