using Lavt.Imaging;

namespace Lavt.Metrics;

/// <summary>
/// The boundary measure F of video object segmentation: how much of each mask's boundary lies near that of the other.
/// </summary>
/// <remarks>
/// Equation: F = 2PR / (P + R), P the share of the prediction's boundary within a disk's reach of the truth's boundary, R the
/// other way round. Source: Perazzi et al., "A benchmark dataset and evaluation methodology for video object segmentation"
/// (CVPR 2016), and the DAVIS 2017 evaluation.
/// </remarks>
public static class BoundaryMeasure
{
    /// <summary>The reach as a share of the picture's diagonal.</summary>
    public const double Reach = 0.008;

    /// <summary>F of a prediction, 0 … 1; 1 if neither mask has a boundary, 0 if only one has.</summary>
    /// <param name="prediction">The predicted mask; every value but 0 is covered.</param>
    /// <param name="truth">The true mask, of the same size.</param>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public static double F(Mask prediction, Mask truth)
    {
        ArgumentNullException.ThrowIfNull(prediction);
        ArgumentNullException.ThrowIfNull(truth);
        (int rows, int columns) = (truth.Rows, truth.Columns);
        if (prediction.Rows != rows || prediction.Columns != columns)
            throw new ArgumentException($"the prediction has {prediction.Rows} x {prediction.Columns} pixels, the truth {rows} x {columns}", nameof(prediction));
        int radius = (int)Math.Ceiling(Reach * Math.Sqrt((double)rows * rows + (double)columns * columns));
        Mask found = Boundary(prediction), expected = Boundary(truth);
        long foundCount = found.Area(), expectedCount = expected.Area();
        if (foundCount == 0 || expectedCount == 0) return foundCount == expectedCount ? 1 : 0;
        double precision = (double)MaskOverlap.Of(found.Pixels, Dilate(expected, radius).Pixels).Intersection / foundCount;
        double recall = (double)MaskOverlap.Of(expected.Pixels, Dilate(found, radius).Pixels).Intersection / expectedCount;
        return precision + recall == 0 ? 0 : 2 * precision * recall / (precision + recall);
    }

    /// <summary>The pixels whose right, lower or lower right neighbour is of the other kind; beyond the edge there is none.</summary>
    internal static Mask Boundary(Mask mask)
    {
        Mask boundary = new(mask.Rows, mask.Columns);
        Span<byte> pixels = mask.Pixels, edges = boundary.Pixels;
        for (int y = 0, i = 0; y < mask.Rows; y++)
        {
            int below = y + 1 < mask.Rows ? mask.Columns : 0;
            for (int x = 0; x < mask.Columns; x++, i++)
            {
                int right = x + 1 < mask.Columns ? 1 : 0;
                bool here = pixels[i] != 0;
                bool edge = here != (pixels[i + right] != 0) || here != (pixels[i + below] != 0) || here != (pixels[i + right + below] != 0);
                edges[i] = edge ? (byte)1 : (byte)0;
            }
        }
        return boundary;
    }

    /// <summary>Puts a disk on each pixel of the mask.</summary>
    private static Mask Dilate(Mask mask, int radius)
    {
        Mask wide = new(mask.Rows, mask.Columns);
        Span<byte> pixels = mask.Pixels;
        for (int y = 0, i = 0; y < mask.Rows; y++)
        {
            for (int x = 0; x < mask.Columns; x++, i++)
            {
                if (pixels[i] != 0) Stamp(wide, y, x, radius);
            }
        }
        return wide;
    }

    private static void Stamp(Mask wide, int row, int column, int radius)
    {
        for (int dy = -radius; dy <= radius; dy++)
        {
            int y = row + dy;
            if ((uint)y >= (uint)wide.Rows) continue;
            int half = (int)Math.Sqrt(radius * radius - dy * dy);
            int left = Math.Max(0, column - half), right = Math.Min(wide.Columns - 1, column + half);
            wide.Pixels.Slice(y * wide.Columns + left, right - left + 1).Fill(1);
        }
    }
}
