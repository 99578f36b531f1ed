using Lavt.Kernels;
using Lavt.Tensors;

namespace Lavt.Weights;

/// <summary>Relative position bias tables of one window size made into those of another.</summary>
public static class BiasTables
{
    /// <summary>The coefficient of PyTorch's cubic convolution (Keys, 1981).</summary>
    private const double A = -0.75;

    /// <summary>
    /// Resizes a table [(2t − 1)(2h − 1)(2w − 1), heads] to that of another window, along rows and columns as
    /// <c>F.interpolate(mode='bicubic', align_corners=False)</c> does for each head, along time in the same way; a table of
    /// pictures (t = 1) is repeated for every distance in time.
    /// </summary>
    /// <param name="table">The table of a window that has as many rows as columns.</param>
    /// <param name="window">The window that the result is for.</param>
    /// <exception cref="ArgumentException">The table has a number of rows that belongs to no such window.</exception>
    public static Tensor Resize(Tensor table, Volume window)
    {
        ArgumentNullException.ThrowIfNull(table);
        Tensor source = table.To(DType.F32);
        Volume to = Span(window), from = Span(WindowOf(table.Shape[0], window.Frames)
            ?? throw new ArgumentException($"a bias table of {table.Shape[0]} rows belongs to no window"));
        Tensor result = Tensor.Empty([to.Count, source.Shape[1]]);
        Cubic[] times = Axis(from.Frames, to.Frames), rows = Axis(from.Height, to.Height), columns = Axis(from.Width, to.Width);
        int at = 0;
        foreach (Cubic time in times)
            foreach (Cubic row in rows)
                foreach (Cubic column in columns)
                    Sum(source, from, (time, row, column), result.ViewSlice(0, at++, 1));
        return result;
    }

    /// <summary>
    /// The window, with as many rows as columns, whose table has so many rows; null if there is none. Where several fit, that
    /// with <paramref name="frames"/> frames, or else the shortest.
    /// </summary>
    public static Volume? WindowOf(int rows, int frames)
    {
        foreach (int length in Enumerable.Range(1, 64).Prepend(frames))
        {
            int span = 2 * length - 1, side = (int)Math.Round(Math.Sqrt(rows / span));
            if (side % 2 == 1 && span * side * side == rows) return new Volume(length, (side + 1) / 2, (side + 1) / 2);
        }
        return null;
    }

    private static Volume Span(Volume window) => new(2 * window.Frames - 1, 2 * window.Height - 1, 2 * window.Width - 1);

    private static void Sum(Tensor source, Volume from, (Cubic Time, Cubic Row, Cubic Column) place, Tensor to)
    {
        int heads = source.Shape[1];
        ReadOnlySpan<float> x = source.Span<float>();
        Span<float> y = to.Span<float>();
        for (int head = 0; head < heads; head++)
        {
            double sum = 0;
            foreach ((int t, double weightT) in place.Time.Samples)
                foreach ((int i, double weightY) in place.Row.Samples)
                    foreach ((int j, double weightX) in place.Column.Samples)
                        sum += weightT * weightY * weightX * x[((t * from.Height + i) * from.Width + j) * heads + head];
            y[head] = (float)sum;
        }
    }

    /// <summary>For each of <paramref name="to"/> places the samples of an axis of <paramref name="from"/> that make it up.</summary>
    private static Cubic[] Axis(int from, int to)
    {
        Cubic[] places = new Cubic[to];
        for (int index = 0; index < to; index++)
        {
            if (from == to || from == 1)
            {
                places[index] = new Cubic([(from == 1 ? 0 : index, 1)]);
                continue;
            }
            double at = (index + 0.5) * from / to - 0.5;
            int low = (int)Math.Floor(at);
            double t = at - low;
            double[] weights = [Far(t + 1), Near(t), Near(1 - t), Far(2 - t)];
            places[index] = new Cubic([.. weights.Select((weight, i) => (Math.Clamp(low - 1 + i, 0, from - 1), weight))]);
        }
        return places;
    }

    private static double Near(double x) => ((A + 2) * x - (A + 3)) * x * x + 1;

    private static double Far(double x) => ((A * x - 5 * A) * x + 8 * A) * x - 4 * A;

    /// <summary>The samples of one axis and their weights.</summary>
    private sealed record Cubic((int Index, double Weight)[] Samples);
}
