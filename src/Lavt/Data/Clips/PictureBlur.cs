using Lavt.Imaging;

namespace Lavt.Data.Clips;

/// <summary>Blurs a picture along a line, as a camera that moves does.</summary>
internal static class PictureBlur
{
    /// <summary>Blurs a picture; beyond its edges it is mirrored.</summary>
    /// <param name="picture">The picture.</param>
    /// <param name="length">The length of the line in pixels.</param>
    /// <param name="angle">Its direction in radians.</param>
    /// <param name="front">How much of the weight lies at its start, 0 … 1; 0.5 for all the same.</param>
    /// <param name="into">Gets the blurred picture.</param>
    public static void Apply(Picture picture, int length, double angle, double front, Picture into)
    {
        (int rows, int columns) = (picture.Rows, picture.Columns);
        into.Reshape(rows, columns);
        List<(int X, int Y, float Weight)> taps = Line(length, angle, front);
        int[] rowOf = Mirrored(rows, length), columnOf = Mirrored(columns, length);
        ReadOnlySpan<byte> from = picture.Pixels;
        Span<byte> to = into.Pixels;
        Span<float> sums = stackalloc float[3];
        for (int y = 0, i = 0; y < rows; y++)
        {
            for (int x = 0; x < columns; x++, i += 3)
            {
                sums.Clear();
                foreach ((int dx, int dy, float weight) in taps)
                {
                    int at = 3 * (rowOf[y + dy + length] * columns + columnOf[x + dx + length]);
                    sums[0] += weight * from[at];
                    sums[1] += weight * from[at + 1];
                    sums[2] += weight * from[at + 2];
                }
                for (int channel = 0; channel < 3; channel++) to[i + channel] = (byte)Math.Clamp(sums[channel] + 0.5f, 0, 255);
            }
        }
    }

    /// <summary>The pixels that a line through the middle touches, with weights that add up to 1.</summary>
    internal static List<(int X, int Y, float Weight)> Line(int length, double angle, double front)
    {
        Dictionary<(int X, int Y), double> weights = [];
        (double sin, double cos) = Math.SinCos(angle);
        double sum = 0;
        for (int i = 0; i < length; i++)
        {
            double weight = front + (1 - 2 * front) * i / Math.Max(1, length - 1), place = i - (length - 1) / 2.0;
            double x = place * cos, y = place * sin;
            int left = (int)Math.Floor(x), top = (int)Math.Floor(y);
            Add(left, top, weight * (1 - (x - left)) * (1 - (y - top)));
            Add(left + 1, top, weight * (x - left) * (1 - (y - top)));
            Add(left, top + 1, weight * (1 - (x - left)) * (y - top));
            Add(left + 1, top + 1, weight * (x - left) * (y - top));
            sum += weight;
        }
        return [.. weights.Where(tap => tap.Value > 0).Select(tap => (tap.Key.X, tap.Key.Y, (float)(tap.Value / sum)))];

        void Add(int x, int y, double weight) => weights[(x, y)] = weights.GetValueOrDefault((x, y)) + weight;
    }

    /// <summary>Which pixel of an axis each place is, from <paramref name="margin"/> before its start to as much behind its end.</summary>
    private static int[] Mirrored(int length, int margin)
    {
        int period = Math.Max(1, 2 * (length - 1));
        return [.. Enumerable.Range(-margin, length + 2 * margin).Select(place =>
        {
            place = (place % period + period) % period;
            return place < length ? place : period - place;
        })];
    }
}
