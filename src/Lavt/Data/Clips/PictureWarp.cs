using Lavt.Imaging;

namespace Lavt.Data.Clips;

/// <summary>
/// Moves a picture as if the camera had moved: a change of perspective, then a turn and a shift. What comes from outside of
/// the picture is black.
/// </summary>
/// <remarks>
/// The perspective takes the unit square to a four-sided figure within the picture: Heckbert, "Fundamentals of texture mapping
/// and image warping" (1989), section 2.2.3.
/// </remarks>
internal readonly struct PictureWarp
{
    private readonly double _a, _b, _c, _d, _e, _f, _g, _h;
    private readonly double _cos, _sin, _shift;

    /// <summary>Describes a movement.</summary>
    /// <param name="corners">The corners of the figure as shares of width and height, in the order of the clock from the upper left.</param>
    /// <param name="turn">By how much the picture is turned, in radians.</param>
    /// <param name="shift">By how much it is shifted, as a share of width and of height.</param>
    public PictureWarp(ReadOnlySpan<(double X, double Y)> corners, double turn, double shift)
    {
        (double x0, double y0) = corners[0];
        (double x1, double y1) = corners[1];
        (double x2, double y2) = corners[2];
        (double x3, double y3) = corners[3];
        double sumX = x0 - x1 + x2 - x3, sumY = y0 - y1 + y2 - y3;
        double dx1 = x1 - x2, dx2 = x3 - x2, dy1 = y1 - y2, dy2 = y3 - y2;
        double determinant = dx1 * dy2 - dx2 * dy1;
        _g = (sumX * dy2 - dx2 * sumY) / determinant;
        _h = (dx1 * sumY - sumX * dy1) / determinant;
        (_a, _b, _c) = (x1 - x0 + _g * x1, x3 - x0 + _h * x3, x0);
        (_d, _e, _f) = (y1 - y0 + _g * y1, y3 - y0 + _h * y3, y0);
        (_sin, _cos) = Math.SinCos(turn);
        _shift = shift;
    }

    /// <summary>Where a pixel of the moved picture comes from, in pixels from the upper left corner; false if from outside.</summary>
    public bool Source(double x, double y, int rows, int columns, out double sourceX, out double sourceY)
    {
        double dx = x - columns * (0.5 + _shift), dy = y - rows * (0.5 + _shift);
        double u = (_cos * dx + _sin * dy) / columns + 0.5, v = (_cos * dy - _sin * dx) / rows + 0.5;
        double depth = _g * u + _h * v + 1;
        sourceX = (_a * u + _b * v + _c) / depth * columns;
        sourceY = (_d * u + _e * v + _f) / depth * rows;
        return u is >= 0 and < 1 && v is >= 0 and < 1;
    }

    /// <summary>Moves a picture, between pixels bilinearly, and its mask, by the nearest pixels.</summary>
    public void Apply(Picture picture, Mask mask, Picture intoPicture, Mask intoMask)
    {
        (int rows, int columns) = (picture.Rows, picture.Columns);
        intoPicture.Reshape(rows, columns);
        intoMask.Reshape(rows, columns);
        intoPicture.Pixels.Clear();
        intoMask.Pixels.Clear();
        Span<byte> pixels = intoPicture.Pixels, covered = intoMask.Pixels, truth = mask.Pixels;
        for (int y = 0, i = 0; y < rows; y++)
        {
            for (int x = 0; x < columns; x++, i++)
            {
                if (!Source(x + 0.5, y + 0.5, rows, columns, out double fromX, out double fromY)) continue;
                Blend(picture, fromX - 0.5, fromY - 0.5, pixels.Slice(3 * i, 3));
                covered[i] = truth[Math.Clamp((int)fromY, 0, rows - 1) * columns + Math.Clamp((int)fromX, 0, columns - 1)];
            }
        }
    }

    private static void Blend(Picture picture, double x, double y, Span<byte> into)
    {
        double left = Math.Clamp(x, 0, picture.Columns - 1), top = Math.Clamp(y, 0, picture.Rows - 1);
        int x0 = (int)left, y0 = (int)top, x1 = Math.Min(x0 + 1, picture.Columns - 1), y1 = Math.Min(y0 + 1, picture.Rows - 1);
        double right = left - x0, down = top - y0;
        ReadOnlySpan<byte> pixels = picture.Pixels;
        ReadOnlySpan<byte> upper = pixels[(y0 * picture.Columns * 3)..], lower = pixels[(y1 * picture.Columns * 3)..];
        for (int channel = 0; channel < 3; channel++)
        {
            double above = upper[3 * x0 + channel] + right * (upper[3 * x1 + channel] - upper[3 * x0 + channel]);
            double below = lower[3 * x0 + channel] + right * (lower[3 * x1 + channel] - lower[3 * x0 + channel]);
            into[channel] = (byte)(above + down * (below - above) + 0.5);
        }
    }
}
