using Lavt.Imaging;

namespace Lavt.Demo;

/// <summary>Paints scenes: a plain background, objects with smooth edges, and noise as a camera adds it.</summary>
internal static class ScenePainter
{
    /// <summary>Samples per pixel along each axis.</summary>
    private const int Samples = 3;

    private const double Noise = 6;

    /// <summary>The picture of a scene.</summary>
    public static Picture Paint(Scene scene, Random random)
    {
        float[] canvas = new float[scene.Rows * scene.Columns * 3];
        int grey = random.Next(150, 236);
        Span<float> background = [grey + random.Next(-12, 13), grey + random.Next(-12, 13), grey + random.Next(-12, 13)];
        for (int i = 0; i < canvas.Length; i++)
            canvas[i] = background[i % 3];
        foreach (SceneObject drawn in scene.Objects)
            Fill(canvas, scene, drawn, Shade(drawn.Colour, random));
        return Develop(canvas, scene, random);
    }

    private static void Fill(float[] canvas, Scene scene, SceneObject drawn, ReadOnlySpan<float> colour)
    {
        double[] outline = drawn.Outline();
        int top = Math.Max(0, (int)(drawn.Y - drawn.Reach)), bottom = Math.Min(scene.Rows - 1, (int)(drawn.Y + drawn.Reach) + 1);
        int left = Math.Max(0, (int)(drawn.X - drawn.Reach)), right = Math.Min(scene.Columns - 1, (int)(drawn.X + drawn.Reach) + 1);
        for (int row = top; row <= bottom; row++)
        {
            for (int column = left; column <= right; column++)
            {
                float coverage = Coverage(outline, column, row);
                for (int channel = 0; channel < 3; channel++)
                {
                    ref float value = ref canvas[(row * scene.Columns + column) * 3 + channel];
                    value += coverage * (colour[channel] - value);
                }
            }
        }
    }

    /// <summary>The part of a pixel that lies inside an outline.</summary>
    private static float Coverage(double[] outline, int column, int row)
    {
        int inside = 0;
        for (int i = 0; i < Samples * Samples; i++)
        {
            if (Contains(outline, column + (i % Samples + 0.5) / Samples, row + (i / Samples + 0.5) / Samples))
                inside++;
        }
        return (float)inside / (Samples * Samples);
    }

    /// <summary>Whether a ray to the right crosses the outline an odd number of times.</summary>
    private static bool Contains(double[] outline, double x, double y)
    {
        bool inside = false;
        for (int i = 0, j = outline.Length - 2; i < outline.Length; j = i, i += 2)
        {
            bool crosses = outline[i + 1] > y != outline[j + 1] > y;
            if (crosses && x < outline[i] + (y - outline[i + 1]) / (outline[j + 1] - outline[i + 1]) * (outline[j] - outline[i]))
                inside = !inside;
        }
        return inside;
    }

    private static float[] Shade(ObjectColour colour, Random random)
    {
        float[] shade = colour switch
        {
            ObjectColour.Red => [214, 40, 40],
            ObjectColour.Green => [42, 157, 60],
            ObjectColour.Blue => [40, 80, 210],
            ObjectColour.Yellow => [240, 205, 40],
            ObjectColour.Purple => [140, 50, 170],
            _ => [245, 130, 30],
        };
        for (int i = 0; i < shade.Length; i++)
            shade[i] += random.Next(-18, 19);
        return shade;
    }

    private static Picture Develop(float[] canvas, Scene scene, Random random)
    {
        var picture = new Picture(scene.Rows, scene.Columns);
        Span<byte> pixels = picture.Pixels;
        for (int i = 0; i < canvas.Length; i++)
        {
            // The sum of four uniform numbers is close enough to a normal one (deviation 1/sqrt 3) and much cheaper.
            double noise = random.NextDouble() + random.NextDouble() + random.NextDouble() + random.NextDouble() - 2;
            pixels[i] = (byte)Math.Clamp(canvas[i] + Noise * Math.Sqrt(3) * noise, 0, 255);
        }
        return picture;
    }
}
