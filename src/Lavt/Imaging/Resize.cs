using System.Runtime.CompilerServices;

namespace Lavt.Imaging;

/// <summary>
/// Changes the size of pictures and masks exactly as Pillow (9 and later) does, byte for byte, since published weights were
/// trained on Pillow's pixels.
/// </summary>
/// <remarks>
/// Bilinear resampling is a convolution with a triangle that widens when a picture shrinks: first along the rows, then
/// along the columns, each in 22-bit fixed point and rounded to 8 bits.
/// </remarks>
public static unsafe class Resize
{
    /// <summary>Resamples a picture with Pillow's BILINEAR filter.</summary>
    /// <param name="from">The picture, of at least one pixel.</param>
    /// <param name="rows">The new height in pixels, at least 1.</param>
    /// <param name="columns">The new width in pixels, at least 1.</param>
    public static Picture Bilinear(Picture from, int rows, int columns)
    {
        Picture into = new(rows, columns);
        new BilinearResizer().Run(from, into);
        return into;
    }

    /// <summary>Takes the nearest pixels, as Pillow's NEAREST does.</summary>
    /// <param name="from">The mask, of at least one pixel.</param>
    /// <param name="rows">The new height in pixels, at least 1.</param>
    /// <param name="columns">The new width in pixels, at least 1.</param>
    public static Mask Nearest(Mask from, int rows, int columns)
    {
        Mask into = new();
        into.Reshape(rows, columns);
        Nearest(from, into);
        return into;
    }

    /// <summary>Takes the nearest pixels of <paramref name="from"/> for each pixel of <paramref name="into"/>, whose size is set.</summary>
    public static void Nearest(Mask from, Mask into)
    {
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(into);
        ArgumentOutOfRangeException.ThrowIfZero(from.Pixels.Length, "from.Pixels.Length");
        Nearest(from.Pixels, from.Rows, from.Columns, into.Pixels, into.Rows, into.Columns);
    }

    [SkipLocalsInit]
    internal static void Nearest(ReadOnlySpan<byte> from, int fromRows, int fromColumns, Span<byte> into, int rows, int columns)
    {
        const int OnStack = 2048;
        Span<int> source = columns <= OnStack ? stackalloc int[OnStack] : new int[columns];
        source = source[..columns];
        double step = (double)fromColumns / columns, position = step * 0.5;
        // Positions are summed up, not multiplied, and so rounded, as Pillow does it.
        for (int x = 0; x < columns; x++, position += step) source[x] = Math.Min((int)position, fromColumns - 1);
        step = (double)fromRows / rows;
        position = step * 0.5;
        for (int y = 0; y < rows; y++, position += step)
        {
            ReadOnlySpan<byte> row = from.Slice(Math.Min((int)position, fromRows - 1) * fromColumns, fromColumns);
            Span<byte> to = into.Slice(y * columns, columns);
            for (int x = 0; x < to.Length; x++) to[x] = row[source[x]];
        }
    }
}
