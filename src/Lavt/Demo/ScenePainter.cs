using Lavt.Data;
using Lavt.Imaging;

namespace Lavt.Demo;

/// <summary>Draws scenes with smooth edges: each pixel is sampled at 4 × 4 points.</summary>
/// <param name="random">Where the shades of the background come from.</param>
internal sealed class ScenePainter(RandomSequence random)
{
    private const int Samples = 4;

    /// <summary>A square picture of a scene on a pale, slightly uneven ground.</summary>
    public Picture Paint(IEnumerable<SceneObject> scene, int size) => Paint(scene, Ground(size));

    /// <summary>A picture of a scene on a ground, which is left as it is.</summary>
    public static Picture Paint(IEnumerable<SceneObject> scene, Picture ground)
    {
        Picture picture = new(ground.Rows, ground.Columns);
        ground.Pixels.CopyTo(picture.Pixels);
        foreach (SceneObject item in scene) PaintObject(picture, item);
        return picture;
    }

    /// <summary>A pale, slightly uneven ground.</summary>
    public Picture Ground(int size)
    {
        Picture picture = new(size, size);
        double light = random.Between(165, 225), across = random.Between(-25, 25), down = random.Between(-25, 25);
        double warm = random.Between(-6, 6);
        Span<byte> pixels = picture.Pixels;
        for (int y = 0, i = 0; y < picture.Rows; y++)
        {
            for (int x = 0; x < picture.Columns; x++, i += 3)
            {
                double grey = light + across * x / picture.Columns + down * y / picture.Rows + random.Between(-5, 5);
                pixels[i] = (byte)Math.Clamp(grey + warm, 0, 255);
                pixels[i + 1] = (byte)Math.Clamp(grey, 0, 255);
                pixels[i + 2] = (byte)Math.Clamp(grey - warm, 0, 255);
            }
        }
        return picture;
    }

    private static void PaintObject(Picture picture, SceneObject item)
    {
        double[] outline = item.Outline(picture.Columns);
        double reach = item.Reach * picture.Columns + 1;
        int left = (int)Math.Max(0, item.X * picture.Columns - reach), right = (int)Math.Min(picture.Columns - 1, item.X * picture.Columns + reach);
        int top = (int)Math.Max(0, item.Y * picture.Rows - reach), bottom = (int)Math.Min(picture.Rows - 1, item.Y * picture.Rows + reach);
        for (int y = top; y <= bottom; y++)
        {
            for (int x = left; x <= right; x++) Blend(picture.Pixels.Slice((y * picture.Columns + x) * 3, 3), item.Paint, Coverage(outline, x, y));
        }
    }

    private static void Blend(Span<byte> pixel, (int Red, int Green, int Blue) paint, double coverage)
    {
        pixel[0] = (byte)Math.Round(pixel[0] + (paint.Red - pixel[0]) * coverage);
        pixel[1] = (byte)Math.Round(pixel[1] + (paint.Green - pixel[1]) * coverage);
        pixel[2] = (byte)Math.Round(pixel[2] + (paint.Blue - pixel[2]) * coverage);
    }

    private static double Coverage(double[] outline, int x, int y)
    {
        int inside = 0;
        for (int i = 0; i < Samples * Samples; i++)
        {
            double dx = (i % Samples + 0.5) / Samples - 0.5, dy = (i / Samples + 0.5) / Samples - 0.5;
            if (Contains(outline, x + dx, y + dy)) inside++;
        }
        return inside / (double)(Samples * Samples);
    }

    /// <summary>Whether a point is within the outline: a ray from it to the right meets an odd number of sides.</summary>
    private static bool Contains(double[] outline, double x, double y)
    {
        bool inside = false;
        for (int i = 0, j = outline.Length - 2; i < outline.Length; j = i, i += 2)
        {
            double yi = outline[i + 1], yj = outline[j + 1];
            if (yi > y != yj > y && x < (outline[j] - outline[i]) * (y - yi) / (yj - yi) + outline[i]) inside = !inside;
        }
        return inside;
    }
}
