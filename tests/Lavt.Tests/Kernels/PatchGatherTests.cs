using Lavt.Kernels.Cpu;
using Xunit;
using static Lavt.Tests.Kernels.KernelTesting;

namespace Lavt.Tests.Kernels;

public unsafe class PatchGatherTests
{
    [Theory]
    [InlineData(1, 3, 8, 8, 4)]
    [InlineData(2, 3, 13, 18, 4)]
    [InlineData(3, 2, 1, 1, 4)]
    [InlineData(2, 1, 5, 7, 3)]
    [InlineData(1, 4, 6, 6, 1)]
    [InlineData(0, 3, 8, 8, 4)]
    [InlineData(2, 3, 0, 8, 4)]
    public void Patches(int batch, int channels, int height, int width, int patch)
    {
        int rows = (height + patch - 1) / patch, columns = (width + patch - 1) / patch;
        int pixels = batch * channels * height * width, cells = batch * rows * columns * channels * patch * patch;
        int PixelOf(int cell)
        {
            (int rest, int kx) = Math.DivRem(cell, patch);
            (rest, int ky) = Math.DivRem(rest, patch);
            (rest, int c) = Math.DivRem(rest, channels);
            (rest, int column) = Math.DivRem(rest, columns);
            (int b, int row) = Math.DivRem(rest, rows);
            int y = row * patch + ky, x = column * patch + kx;
            return y < height && x < width ? ((b * channels + c) * height + y) * width + x : -1;
        }

        Check(pixels, cells, PixelOf, (x, y) => PatchGather.EmbedForward(x, batch, channels, height, width, patch, y), (dy, dx) => PatchGather.EmbedBackward(dy, batch, channels, height, width, patch, dx));
    }

    [Theory]
    [InlineData(1, 2, 2, 1)]
    [InlineData(2, 7, 9, 5)]
    [InlineData(1, 1, 1, 96)]
    [InlineData(3, 4, 3, 17)]
    [InlineData(0, 4, 4, 8)]
    public void Merging(int batch, int height, int width, int channels)
    {
        int rows = (height + 1) / 2, columns = (width + 1) / 2;
        (int Row, int Column)[] offsets = [(0, 0), (1, 0), (0, 1), (1, 1)];
        int PixelOf(int cell)
        {
            (int rest, int c) = Math.DivRem(cell, channels);
            (rest, int neighbour) = Math.DivRem(rest, 4);
            (rest, int column) = Math.DivRem(rest, columns);
            (int b, int row) = Math.DivRem(rest, rows);
            int y = 2 * row + offsets[neighbour].Row, x = 2 * column + offsets[neighbour].Column;
            return y < height && x < width ? ((b * height + y) * width + x) * channels + c : -1;
        }

        Check(batch * height * width * channels, batch * rows * columns * 4 * channels, PixelOf, (x, y) => PatchGather.MergeForward(x, batch, height, width, channels, y), (dy, dx) => PatchGather.MergeBackward(dy, batch, height, width, channels, dx));
    }

    private delegate void Copy(float* from, float* to);

    /// <summary>Compares with the map from cells of the result to pixels (−1: none), and its inverse.</summary>
    private static void Check(int pixels, int cells, Func<int, int> pixelOf, Copy forward, Copy backward)
    {
        float[] picture = Uniform(pixels, 1), gradient = Uniform(cells, 2);
        using GuardedArray<float> x = new(picture), y = new(cells), dy = new(gradient), dx = new(pixels);
        forward(x, y);
        backward(dy, dx);
        float[] expected = new float[cells], expectedGradient = new float[pixels];
        for (int i = 0; i < cells; i++)
        {
            if (pixelOf(i) is not (>= 0 and int pixel)) continue;
            expected[i] = picture[pixel];
            expectedGradient[pixel] = gradient[i];
        }
        Assert.Equal(expected, y.ToArray());
        Assert.Equal(expectedGradient, dx.ToArray());
    }
}
