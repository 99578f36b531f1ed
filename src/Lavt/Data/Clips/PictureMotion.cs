using Lavt.Imaging;

namespace Lavt.Data.Clips;

/// <summary>
/// Makes another frame of a picture: brightness and hue, perspective, turn and shift, and now and then motion blur, each by a
/// random amount.
/// </summary>
/// <remarks>Source: the augmentation of joint training in the published LAVT code for clips, which it has from SeqFormer and STEm-Seg.</remarks>
internal static class PictureMotion
{
    private const int Brightness = 40;
    private const int Hue = 5;
    private const double Perspective = 0.08;
    private const double Shift = 0.1;
    private const double Turn = 20 * Math.PI / 180;
    private const double BlurShare = 0.25;
    private static readonly int[] s_blurLengths = [9, 11];

    /// <summary>Makes a frame.</summary>
    /// <param name="picture">The picture.</param>
    /// <param name="mask">The mask of its object.</param>
    /// <param name="random">What decides the amounts.</param>
    /// <param name="reader">Memory for what lies in between.</param>
    /// <param name="intoPicture">Gets the frame.</param>
    /// <param name="intoMask">Gets the mask of the frame.</param>
    public static void Apply(Picture picture, Mask mask, RandomSequence random, ClipReader reader, Picture intoPicture, Mask intoMask)
    {
        Picture coloured = reader.Coloured;
        coloured.Reshape(picture.Rows, picture.Columns);
        picture.Pixels.CopyTo(coloured.Pixels);
        // One of the two, the other, or both, in this order.
        int which = random.Below(4);
        if (which != 0) Brighten(coloured, random.Below(2 * Brightness + 1) - Brightness);
        if (which != 1) ShiftHue(coloured, random.Below(2 * Hue + 1) - Hue);
        PictureWarp warp = DrawWarp(random);
        if (random.Between(0, 1) >= BlurShare)
        {
            warp.Apply(coloured, mask, intoPicture, intoMask);
            return;
        }
        warp.Apply(coloured, mask, reader.Moved, intoMask);
        PictureBlur.Apply(reader.Moved, s_blurLengths[random.Below(2)], random.Between(0, 2 * Math.PI), random.Between(0, 1), intoPicture);
    }

    /// <summary>Adds to every channel.</summary>
    internal static void Brighten(Picture picture, int amount)
    {
        foreach (ref byte value in picture.Pixels) value = (byte)Math.Clamp(value + amount, 0, 255);
    }

    /// <summary>Adds to hue and saturation, both in 256ths of their range.</summary>
    internal static void ShiftHue(Picture picture, int amount)
    {
        double turn = 6.0 * amount / 255, more = amount / 255.0;
        Span<byte> pixels = picture.Pixels;
        for (int i = 0; i < pixels.Length; i += 3)
        {
            double red = pixels[i] / 255.0, green = pixels[i + 1] / 255.0, blue = pixels[i + 2] / 255.0;
            double value = Math.Max(red, Math.Max(green, blue)), chroma = value - Math.Min(red, Math.Min(green, blue));
            double hue = chroma == 0 ? 0 : value == red ? (green - blue) / chroma : value == green ? 2 + (blue - red) / chroma : 4 + (red - green) / chroma;
            double saturation = Math.Clamp((value == 0 ? 0 : chroma / value) + more, 0, 1);
            hue += turn + 12;
            pixels[i] = Channel(5, hue, saturation, value);
            pixels[i + 1] = Channel(3, hue, saturation, value);
            pixels[i + 2] = Channel(1, hue, saturation, value);
        }
    }

    /// <summary>A channel of a colour whose hue counts from 0 to 6.</summary>
    private static byte Channel(int number, double hue, double saturation, double value)
    {
        double place = (number + hue) % 6;
        return (byte)(255 * (value - value * saturation * Math.Clamp(Math.Min(place, 4 - place), 0, 1)) + 0.5);
    }

    private static PictureWarp DrawWarp(RandomSequence random)
    {
        double Inward() => Math.Min(0.45, Math.Abs(random.Normal()) * Perspective);
        ReadOnlySpan<(double X, double Y)> corners =
            [(Inward(), Inward()), (1 - Inward(), Inward()), (1 - Inward(), 1 - Inward()), (Inward(), 1 - Inward())];
        return new PictureWarp(corners, random.Between(-Turn, Turn), random.Between(-Shift, Shift));
    }
}
