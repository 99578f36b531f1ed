using Lavt.Kernels.Cpu;
using Xunit;
using static Lavt.Tests.Kernels.KernelTesting;

namespace Lavt.Tests.Kernels;

public unsafe class BilinearTests
{
    /// <summary>Batch, h, w, channels, height, width, floats between output pixels beyond the channels.</summary>
    public static TheoryData<int, int, int, int, int, int, int> Cases => new()
    {
        { 0, 3, 3, 4, 5, 5, 0 },
        { 1, 1, 1, 3, 1, 1, 0 },
        { 2, 1, 1, 5, 4, 3, 0 },
        { 1, 3, 4, 1, 1, 1, 2 },
        { 2, 4, 3, 16, 7, 6, 0 },
        { 1, 5, 6, 17, 9, 12, 3 },
        { 3, 2, 5, 33, 4, 9, 31 },
        { 1, 7, 9, 4, 7, 9, 0 },
        { 1, 9, 8, 5, 4, 3, 1 },
        { 2, 6, 5, 2, 23, 21, 0 },
        { 1, 3, 2, 2, 11, 13, 5 },
        { 2, 1, 7, 2, 5, 9, 0 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_equals_double_precision_and_leaves_other_channels_alone(int batch, int h, int w, int channels, int height, int width, int gap)
    {
        float[] x = Uniform(batch * h * w * channels, 1);
        int stride = channels + gap;
        using GuardedArray<float> xs = new(x), y = new(batch * height * width * stride);
        y.Span.Fill(-77);
        Bilinear.Forward(xs, batch, h, w, channels, y, height, width, stride);
        (float[] values, float[] between) = Take(y.ToArray(), channels, stride);
        AssertClose(Reference(ToDouble(x), batch, h, w, channels, height, width), values, 2e-7);
        Assert.All(between, value => Assert.Equal(-77f, value));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Backward_is_the_transpose_of_forward(int batch, int h, int w, int channels, int height, int width, int gap)
    {
        int stride = channels + gap;
        float[] padded = Uniform(batch * height * width * stride, 2);
        (float[] dy, _) = Take(padded, channels, stride);
        using GuardedArray<float> dys = new(padded), dx = new(batch * h * w * channels);
        Bilinear.Backward(dys, stride, batch, h, w, channels, dx, height, width);
        // The map is linear: its gradient in x is found with one unit input at a time.
        double[] expected = new double[dx.Span.Length], unit = new double[expected.Length];
        for (int i = 0; i < expected.Length; i++)
        {
            unit[i] = 1;
            expected[i] = Dot(Reference(unit, batch, h, w, channels, height, width), dy);
            unit[i] = 0;
        }
        AssertClose(expected, dx.ToArray(), 1e-6);
    }

    [Theory]
    [InlineData(2, 6, 5, 23, 21)]
    [InlineData(1, 1, 1, 4, 4)]
    [InlineData(1, 30, 30, 120, 117)]
    public void Mask_is_the_argmax_of_the_resampled_logits(int batch, int h, int w, int height, int width)
    {
        float[] logits = Uniform(batch * h * w * 2, 1);
        using GuardedArray<float> xs = new(logits), y = new(batch * height * width * 2);
        using GuardedArray<byte> mask = new(batch * height * width);
        BilinearLogits.Forward(xs, batch, h, w, y, height, width);
        BilinearLogits.Mask(xs, batch, h, w, mask, height, width);
        for (int i = 0; i < mask.Span.Length; i++)
            Assert.Equal(y.Span[2 * i + 1] > y.Span[2 * i] ? 1 : 0, mask.Span[i]);
    }

    [Fact]
    public void Equal_logits_are_background()
    {
        using GuardedArray<float> logits = new([0.5f, 0.5f]);
        using GuardedArray<byte> mask = new(6);
        BilinearLogits.Mask(logits, 1, 1, 1, mask, 2, 3);
        Assert.All(mask.ToArray(), value => Assert.Equal(0, value));
    }

    [Fact]
    public void Channels_copy_moves_a_slice_of_every_pixel()
    {
        float[] x = Uniform(7 * 5, 1);
        using GuardedArray<float> xs = new(x), y = new(7 * 9);
        y.Span.Fill(-1);
        Channels.Copy(xs.Pointer + 1, 5, y.Pointer + 4, 9, 7, 3);
        for (int i = 0; i < 7 * 9; i++)
        {
            int channel = i % 9 - 4;
            Assert.Equal(channel is >= 0 and < 3 ? x[i / 9 * 5 + 1 + channel] : -1, y.Span[i]);
        }
    }

    [Fact]
    public void Result_does_not_depend_on_the_number_of_workers()
    {
        float[] x = Uniform(2 * 20 * 21 * 40, 1), dy = Uniform(2 * 39 * 43 * 40, 2);
        AssertIndependentOfWorkers(() =>
        {
            using GuardedArray<float> xs = new(x), y = new(dy.Length), dys = new(dy), dx = new(x.Length);
            Bilinear.Forward(xs, 2, 20, 21, 40, y, 39, 43, 40);
            Bilinear.Backward(dys, 40, 2, 20, 21, 40, dx, 39, 43);
            return [.. y.ToArray(), .. dx.ToArray()];
        });
    }

    private static (float[] Values, float[] Between) Take(float[] y, int channels, int stride)
    {
        List<float> values = [], between = [];
        for (int i = 0; i < y.Length; i++) (i % stride < channels ? values : between).Add(y[i]);
        return ([.. values], [.. between]);
    }

    private static double[] Reference(double[] x, int batch, int h, int w, int channels, int height, int width)
    {
        double[] y = new double[batch * height * width * channels];
        for (int i = 0; i < y.Length; i++)
        {
            int c = i % channels, column = i / channels % width, row = i / channels / width % height, b = i / channels / width / height;
            double down = height > 1 ? row * (h - 1.0) / (height - 1) : 0, right = width > 1 ? column * (w - 1.0) / (width - 1) : 0;
            for (int r = 0; r < h; r++)
                for (int k = 0; k < w; k++)
                    y[i] += x[((b * h + r) * w + k) * channels + c] * Math.Max(0, 1 - Math.Abs(down - r)) * Math.Max(0, 1 - Math.Abs(right - k));
        }
        return y;
    }
}
