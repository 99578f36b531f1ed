using Lavt.Kernels;
using Xunit;

namespace Lavt.Tests.Kernels;

/// <summary>The geometry of a window attention: extents "TxHxW" of the map, a window, its shift and the table's window.</summary>
internal sealed record WindowGeometry(Volume Map, Volume Window, Volume Shift, Volume Table)
{
    public static WindowGeometry Parse(string map, string window, string shift, string? table = null) =>
        new(Volumes.Parse(map), Volumes.Parse(window), Volumes.Parse(shift), Volumes.Parse(table ?? window));

    public int TableRows => (2 * Table.Frames - 1) * (2 * Table.Height - 1) * (2 * Table.Width - 1);
}

/// <summary>
/// Window attention in double precision, step by step as Swin describes it: pad, roll, cut into windows, attend, put
/// together, roll back, crop.
/// </summary>
internal sealed class WindowAttentionReference(WindowGeometry geometry, int batch, int heads, int headDim)
{
    private readonly Volume _map = geometry.Map;
    private readonly Volume _window = geometry.Window;
    private readonly Volume _shift = geometry.Shift;
    private readonly Volume _counts = new(
        Cover(geometry.Map.Frames, geometry.Window.Frames), Cover(geometry.Map.Height, geometry.Window.Height), Cover(geometry.Map.Width, geometry.Window.Width));

    private readonly int _channels = heads * headDim;
    private readonly int _size = geometry.Window.Count;

    private Volume Padded => new(_counts.Frames * _window.Frames, _counts.Height * _window.Height, _counts.Width * _window.Width);

    public double[] DQkv { get; private set; } = [];

    public double[] DQkvBias { get; private set; } = [];

    public double[] DBiasTable { get; private set; } = [];

    public double[] Forward(double[] qkv, double[] qkvBias, double[] table)
    {
        double[] windows = Partition(Roll(Pad(qkv, 3 * _channels, qkvBias), 3 * _channels, 1), 3 * _channels);
        double[] result = new double[windows.Length / 3];
        double[] regions = Regions();
        int perMap = _counts.Count;
        for (int w = 0; w < batch * perMap; w++)
            for (int h = 0; h < heads; h++)
                Attend(windows, w, w % perMap, h, table, regions, result, null, []);
        return Crop(Roll(Reverse(result, _channels), _channels, -1), _channels);
    }

    public void Backward(double[] qkv, double[] qkvBias, double[] table, double[] dOutput)
    {
        double[] windows = Partition(Roll(Pad(qkv, 3 * _channels, qkvBias), 3 * _channels, 1), 3 * _channels);
        double[] gradient = Partition(Roll(Pad(dOutput, _channels, new double[_channels]), _channels, 1), _channels);
        double[] dWindows = new double[windows.Length];
        double[] regions = Regions();
        DBiasTable = new double[table.Length];
        int perMap = _counts.Count;
        for (int w = 0; w < batch * perMap; w++)
            for (int h = 0; h < heads; h++)
                Attend(windows, w, w % perMap, h, table, regions, dWindows, gradient, DBiasTable);
        double[] padded = Roll(Reverse(dWindows, 3 * _channels), 3 * _channels, -1);
        DQkv = Crop(padded, 3 * _channels);
        DQkvBias = new double[3 * _channels];
        for (int i = 0; i < padded.Length; i++)
            if (!Inside(i / (3 * _channels) % Padded.Count))
                DQkvBias[i % (3 * _channels)] += padded[i];
    }

    /// <summary>One head of one window; with a gradient it writes that of q, k, v and adds that of the table, without one the result.</summary>
    private void Attend(double[] windows, int w, int inMap, int h, double[] table, double[] regions, double[] destination, double[]? gradient, double[] dTable)
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
                if (regions[inMap * _size + i] != regions[inMap * _size + j]) p[j] -= 100;
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

    private static int Cover(int extent, int window) => (extent + window - 1) / window;

    /// <summary>Tokens are counted in the table's window, whatever the window.</summary>
    private int RelativeIndex(int i, int j)
    {
        Volume table = geometry.Table, a = Position(i, table), b = Position(j, table);
        int frames = a.Frames - b.Frames + table.Frames - 1, rows = a.Height - b.Height + table.Height - 1;
        return ((frames * (2 * table.Height - 1)) + rows) * (2 * table.Width - 1) + a.Width - b.Width + table.Width - 1;
    }

    private static Volume Position(int index, Volume extents) =>
        new(index / extents.Plane, index / extents.Width % extents.Height, index % extents.Width);

    private static int Index(Volume position, Volume extents) =>
        (position.Frames * extents.Height + position.Height) * extents.Width + position.Width;

    private bool Inside(int padded)
    {
        Volume at = Position(padded, Padded);
        return at.Frames < _map.Frames && at.Height < _map.Height && at.Width < _map.Width;
    }

    private double[] Pad(double[] map, int channels, double[] padding)
    {
        double[] padded = new double[batch * Padded.Count * channels];
        for (int i = 0; i < padded.Length; i++)
        {
            int c = i % channels, token = i / channels % Padded.Count, b = i / channels / Padded.Count;
            padded[i] = Inside(token) ? map[(b * _map.Count + Index(Position(token, Padded), _map)) * channels + c] : padding[c];
        }
        return padded;
    }

    private double[] Crop(double[] padded, int channels)
    {
        double[] map = new double[batch * _map.Count * channels];
        for (int i = 0; i < map.Length; i++)
        {
            int c = i % channels, token = i / channels % _map.Count, b = i / channels / _map.Count;
            map[i] = padded[(b * Padded.Count + Index(Position(token, _map), Padded)) * channels + c];
        }
        return map;
    }

    /// <summary>Moves everything by −shift (direction 1) or shift (−1), what falls out comes in at the other end.</summary>
    private double[] Roll(double[] map, int channels, int direction)
    {
        double[] rolled = new double[map.Length];
        for (int i = 0; i < map.Length; i++)
        {
            int c = i % channels, b = i / channels / Padded.Count;
            Volume to = Position(i / channels % Padded.Count, Padded);
            Volume from = new(
                (to.Frames + direction * _shift.Frames + Padded.Frames) % Padded.Frames,
                (to.Height + direction * _shift.Height + Padded.Height) % Padded.Height,
                (to.Width + direction * _shift.Width + Padded.Width) % Padded.Width);
            rolled[i] = map[(b * Padded.Count + Index(from, Padded)) * channels + c];
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
        Volume at = Position(token % Padded.Count, Padded);
        Volume window = new(at.Frames / _window.Frames, at.Height / _window.Height, at.Width / _window.Width);
        Volume inside = new(at.Frames % _window.Frames, at.Height % _window.Height, at.Width % _window.Width);
        return (token / Padded.Count * _counts.Count + Index(window, _counts)) * _size + Index(inside, _window);
    }

    /// <summary>
    /// The regions of one map, partitioned: along each axis the slices (0, −window), (−window, −shift), (−shift, end) of the
    /// rolled map, painted one after the other, so that without a shift the last covers all.
    /// </summary>
    private double[] Regions()
    {
        int[] frames = Slices(Padded.Frames, _window.Frames, _shift.Frames), rows = Slices(Padded.Height, _window.Height, _shift.Height);
        int[] columns = Slices(Padded.Width, _window.Width, _shift.Width);
        double[] map = new double[Padded.Count];
        for (int i = 0; i < map.Length; i++)
        {
            Volume at = Position(i, Padded);
            map[i] = 9 * frames[at.Frames] + 3 * rows[at.Height] + columns[at.Width];
        }
        return Partition(map, 1);

        static int[] Slices(int padded, int window, int shift)
        {
            int[] slices = new int[padded];
            Array.Fill(slices, 1, padded - window, window);
            Array.Fill(slices, 2, shift == 0 ? 0 : padded - shift, shift == 0 ? padded : shift);
            return slices;
        }
    }
}

/// <summary>The reference itself against central differences.</summary>
public class WindowAttentionReferenceTests
{
    [Theory]
    [InlineData("1x3x5", "1x2x2", "0x1x1", null)]
    [InlineData("1x4x2", "1x3x3", "0x1x1", null)]
    [InlineData("1x2x3", "1x4x4", "0x2x2", null)]
    [InlineData("3x2x3", "2x2x2", "1x0x1", null)]
    [InlineData("2x3x2", "2x2x2", "0x1x0", "3x2x3")]
    public void Gradients_of_the_reference_equal_central_differences(string map, string window, string shift, string? table)
    {
        const int Heads = 2, HeadDim = 3, Batch = 1;
        Random random = new(5);
        WindowGeometry geometry = WindowGeometry.Parse(map, window, shift, table);
        WindowAttentionReference reference = new(geometry, Batch, Heads, HeadDim);
        double[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => random.NextDouble() * 2 - 1)];
        double[] qkv = Values(Batch * geometry.Map.Count * 3 * Heads * HeadDim), qkvBias = Values(3 * Heads * HeadDim);
        double[] biases = Values(geometry.TableRows * Heads), dOutput = Values(qkv.Length / 3);
        reference.Backward(qkv, qkvBias, biases, dOutput);

        double Loss() => reference.Forward(qkv, qkvBias, biases).Zip(dOutput, (a, b) => a * b).Sum();
        foreach ((double[] variable, double[] gradient) in new[] { (qkv, reference.DQkv), (qkvBias, reference.DQkvBias), (biases, reference.DBiasTable) })
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
