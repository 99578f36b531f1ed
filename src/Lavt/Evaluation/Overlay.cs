using Lavt.Imaging;

namespace Lavt.Evaluation;

/// <summary>Draws a mask over its picture: the object tinted, with an outline.</summary>
public static class Overlay
{
    private const int Tint = 45;
    private static readonly byte[] s_colour = [255, 40, 60];

    /// <summary>A copy of the picture with the mask drawn over it.</summary>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public static Picture Draw(Picture picture, Mask mask)
    {
        Picture drawn = Copy(picture, mask);
        for (int row = 0; row < mask.Rows; row++)
        {
            for (int column = 0; column < mask.Columns; column++)
            {
                if (mask.Pixels[row * mask.Columns + column] != 0)
                    Blend(drawn.Pixels.Slice(3 * (row * mask.Columns + column), 3), IsEdge(mask, row, column) ? 100 : Tint);
            }
        }
        return drawn;
    }

    /// <summary>A copy of the picture with half of a colour where the mask covers it, as the published code draws masks of videos.</summary>
    /// <param name="picture">The picture.</param>
    /// <param name="mask">The mask, of the same size.</param>
    /// <param name="number">Which colour: that of the sentence's number, see <see cref="Palette"/>.</param>
    /// <exception cref="ArgumentException">The sizes differ.</exception>
    public static Picture Tinted(Picture picture, Mask mask, int number)
    {
        Picture drawn = Copy(picture, mask);
        byte[] colour = Palette.Colour(1 + number % 255);
        for (int i = 0; i < mask.Pixels.Length; i++)
        {
            if (mask.Pixels[i] == 0) continue;
            Span<byte> pixel = drawn.Pixels.Slice(3 * i, 3);
            for (int channel = 0; channel < 3; channel++) pixel[channel] = (byte)((pixel[channel] + colour[channel]) / 2);
        }
        return drawn;
    }

    private static Picture Copy(Picture picture, Mask mask)
    {
        ArgumentNullException.ThrowIfNull(picture);
        ArgumentNullException.ThrowIfNull(mask);
        if ((picture.Rows, picture.Columns) != (mask.Rows, mask.Columns))
            throw new ArgumentException($"the mask has {mask.Rows} x {mask.Columns} pixels, the picture {picture.Rows} x {picture.Columns}", nameof(mask));
        var drawn = new Picture(picture.Rows, picture.Columns);
        picture.Pixels.CopyTo(drawn.Pixels);
        return drawn;
    }

    private static void Blend(Span<byte> pixel, int percent)
    {
        for (int i = 0; i < pixel.Length; i++)
            pixel[i] = (byte)((pixel[i] * (100 - percent) + s_colour[i] * percent) / 100);
    }

    /// <summary>Whether one of the four neighbours lies outside the mask.</summary>
    private static bool IsEdge(Mask mask, int row, int column)
    {
        ReadOnlySpan<byte> pixels = mask.Pixels;
        int at = row * mask.Columns + column;
        return (row > 0 && pixels[at - mask.Columns] == 0) || (row < mask.Rows - 1 && pixels[at + mask.Columns] == 0)
            || (column > 0 && pixels[at - 1] == 0) || (column < mask.Columns - 1 && pixels[at + 1] == 0);
    }
}
