using Xunit;

namespace Lavt.Tests.Kernels;

/// <summary>
/// Window attention in double precision, step by step as Swin describes it: pad, roll, cut into windows, attend, put
/// together, roll back, crop.
/// </summary>
internal sealed class WindowAttentionReference(int batch, int height, int width, int heads, int headDim, int window, int shift)
{
    private readonly int _paddedHeight = (height + window - 1) / window * window;
    private readonly int _paddedWidth = (width + window - 1) / window * window;
    private readonly int _channels = heads * headDim;
    private readonly int _size = window * window;

    public double[] DQkv { get; private set; } = [];

    public double[] DQkvBias { get; private set; } = [];

    public double[] DBiasTable { get; private set; } = [];

    public double[] Forward(double[] qkv, double[] qkvBias, double[] table)
    {
        double[] windows = Partition(Roll(Pad(qkv, 3 * _channels, qkvBias), 3 * _channels, shift), 3 * _channels);
        double[] result = new double[windows.Length / 3];
        double[] regions = Regions();
        int perPicture = _paddedHeight * _paddedWidth / _size;
        for (int w = 0; w < batch * perPicture; w++)
            for (int h = 0; h < heads; h++)
                Attend(windows, w, w % perPicture, h, table, regions, result, null, []);
        return Crop(Roll(Reverse(result, _channels), _channels, -shift), _channels);
    }

    public void Backward(double[] qkv, double[] qkvBias, double[] table, double[] dOutput)
    {
        double[] windows = Partition(Roll(Pad(qkv, 3 * _channels, qkvBias), 3 * _channels, shift), 3 * _channels);
        double[] gradient = Partition(Roll(Pad(dOutput, _channels, new double[_channels]), _channels, shift), _channels);
        double[] dWindows = new double[windows.Length];
        double[] regions = Regions();
        DBiasTable = new double[table.Length];
        int perPicture = _paddedHeight * _paddedWidth / _size;
        for (int w = 0; w < batch * perPicture; w++)
            for (int h = 0; h < heads; h++)
                Attend(windows, w, w % perPicture, h, table, regions, dWindows, gradient, DBiasTable);
        double[] padded = Roll(Reverse(dWindows, 3 * _channels), 3 * _channels, -shift);
        DQkv = Crop(padded, 3 * _channels);
        DQkvBias = new double[3 * _channels];
        for (int b = 0; b < batch; b++)
            for (int y = 0; y < _paddedHeight; y++)
                for (int x = 0; x < _paddedWidth; x++)
                    for (int c = 0; c < 3 * _channels && (y >= height || x >= width); c++)
                        DQkvBias[c] += padded[((b * _paddedHeight + y) * _paddedWidth + x) * 3 * _channels + c];
    }

    /// <summary>One head of one window; with a gradient it writes that of q, k, v and adds that of the table, without one the result.</summary>
    private void Attend(double[] windows, int w, int inPicture, int h, double[] table, double[] regions, double[] destination, double[]? gradient, double[] dTable)
    {
        double scale = 1 / Math.Sqrt(headDim);
        double At(int i, int part, int d) => windows[((w * _size + i) * 3 + part) * _channels + h * headDim + d];
        for (int i = 0; i < _size; i++)
        {
            double[] p = new double[_size];
            for (int j = 0; j < _size; j++)
            {
                for (int d = 0; d < headDim; d++) p[j] += At(i, 0, d) * scale * At(j, 1, d);
                p[j] += table[RelativeIndex(i, j) * heads + h];
                if (shift > 0 && regions[inPicture * _size + i] != regions[inPicture * _size + j]) p[j] -= 100;
            }
            double largest = p.Max();
            for (int j = 0; j < _size; j++) p[j] = Math.Exp(p[j] - largest);
            double sum = p.Sum();
            for (int j = 0; j < _size; j++) p[j] /= sum;
            if (gradient is null)
            {
                for (int d = 0; d < headDim; d++)
                    for (int j = 0; j < _size; j++)
                        destination[(w * _size + i) * _channels + h * headDim + d] += p[j] * At(j, 2, d);
                continue;
            }
            double Gradient(int d) => gradient[(w * _size + i) * _channels + h * headDim + d];
            double[] dp = new double[_size];
            for (int j = 0; j < _size; j++)
                for (int d = 0; d < headDim; d++) dp[j] += Gradient(d) * At(j, 2, d);
            double mean = p.Zip(dp, (a, b) => a * b).Sum();
            for (int j = 0; j < _size; j++)
            {
                double ds = p[j] * (dp[j] - mean);
                dTable[RelativeIndex(i, j) * heads + h] += ds;
                for (int d = 0; d < headDim; d++)
                {
                    int channel = h * headDim + d;
                    destination[(w * _size + i) * 3 * _channels + channel] += ds * scale * At(j, 1, d);
                    destination[((w * _size + j) * 3 + 1) * _channels + channel] += ds * scale * At(i, 0, d);
                    destination[((w * _size + j) * 3 + 2) * _channels + channel] += p[j] * Gradient(d);
                }
            }
        }
    }

    private int RelativeIndex(int i, int j) =>
        (i / window - j / window + window - 1) * (2 * window - 1) + i % window - j % window + window - 1;

    private double[] Pad(double[] map, int channels, double[] padding)
    {
        double[] padded = new double[batch * _paddedHeight * _paddedWidth * channels];
        for (int i = 0; i < padded.Length; i++)
        {
            int c = i % channels, x = i / channels % _paddedWidth, y = i / channels / _paddedWidth % _paddedHeight;
            int b = i / channels / _paddedWidth / _paddedHeight;
            padded[i] = y < height && x < width ? map[((b * height + y) * width + x) * channels + c] : padding[c];
        }
        return padded;
    }

    private double[] Crop(double[] padded, int channels)
    {
        double[] map = new double[batch * height * width * channels];
        for (int i = 0; i < map.Length; i++)
        {
            int c = i % channels, x = i / channels % width, y = i / channels / width % height, b = i / channels / width / height;
            map[i] = padded[((b * _paddedHeight + y) * _paddedWidth + x) * channels + c];
        }
        return map;
    }

    /// <summary>Moves everything by −amount, what falls out comes in at the other end.</summary>
    private double[] Roll(double[] map, int channels, int amount)
    {
        double[] rolled = new double[map.Length];
        for (int i = 0; i < map.Length; i++)
        {
            int c = i % channels, x = i / channels % _paddedWidth, y = i / channels / _paddedWidth % _paddedHeight;
            int b = i / channels / _paddedWidth / _paddedHeight;
            int fromY = (y + amount + _paddedHeight) % _paddedHeight, fromX = (x + amount + _paddedWidth) % _paddedWidth;
            rolled[i] = map[((b * _paddedHeight + fromY) * _paddedWidth + fromX) * channels + c];
        }
        return rolled;
    }

    private double[] Partition(double[] map, int channels)
    {
        double[] windows = new double[map.Length];
        for (int i = 0; i < map.Length; i++) windows[WindowPosition(i / channels) * channels + i % channels] = map[i];
        return windows;
    }

    private double[] Reverse(double[] windows, int channels)
    {
        double[] map = new double[windows.Length];
        for (int i = 0; i < map.Length; i++) map[i] = windows[WindowPosition(i / channels) * channels + i % channels];
        return map;
    }

    private int WindowPosition(int token)
    {
        int x = token % _paddedWidth, y = token / _paddedWidth % _paddedHeight, b = token / _paddedWidth / _paddedHeight;
        int index = (b * (_paddedHeight / window) + y / window) * (_paddedWidth / window) + x / window;
        return index * _size + y % window * window + x % window;
    }

    /// <summary>The regions of one picture, partitioned: 3 x 3 slices (0, −window), (−window, −shift), (−shift, end) of the rolled map.</summary>
    private double[] Regions()
    {
        double[] map = new double[_paddedHeight * _paddedWidth];
        int[] rows = [0, _paddedHeight - window, _paddedHeight - shift, _paddedHeight];
        int[] columns = [0, _paddedWidth - window, _paddedWidth - shift, _paddedWidth];
        for (int a = 0; a < 3; a++)
            for (int b = 0; b < 3; b++)
                for (int y = rows[a]; y < rows[a + 1]; y++)
                    for (int x = columns[b]; x < columns[b + 1]; x++) map[y * _paddedWidth + x] = 3 * a + b;
        return Partition(map, 1);
    }
}

public class WindowAttentionReferenceTests
{
    [Theory]
    [InlineData(3, 5, 2, 1)]
    [InlineData(4, 2, 3, 1)]
    [InlineData(2, 3, 4, 2)]
    public void Gradients_of_the_reference_equal_central_differences(int height, int width, int window, int shift)
    {
        const int Heads = 2, HeadDim = 3, Batch = 1;
        Random random = new(5);
        WindowAttentionReference reference = new(Batch, height, width, Heads, HeadDim, window, shift);
        double[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() * 2 - 1)];
        double[] qkv = Values(Batch * height * width * 3 * Heads * HeadDim), qkvBias = Values(3 * Heads * HeadDim);
        double[] table = Values((2 * window - 1) * (2 * window - 1) * Heads), dOutput = Values(qkv.Length / 3);
        reference.Backward(qkv, qkvBias, table, dOutput);

        double Loss() => reference.Forward(qkv, qkvBias, table).Zip(dOutput, (a, b) => a * b).Sum();
        foreach ((double[] variable, double[] gradient) in new[] { (qkv, reference.DQkv), (qkvBias, reference.DQkvBias), (table, reference.DBiasTable) })
        {
            for (int i = 0; i < variable.Length; i++)
            {
                double value = variable[i];
                variable[i] = value + 1e-5;
                double above = Loss();
                variable[i] = value - 1e-5;
                double below = Loss();
                variable[i] = value;
                Assert.Equal((above - below) / 2e-5, gradient[i], 1e-8);
            }
        }
    }
}
