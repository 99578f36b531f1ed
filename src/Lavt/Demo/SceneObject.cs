namespace Lavt.Demo;

/// <summary>The forms of a drawn object, by their nouns.</summary>
internal enum SceneShape
{
    Circle,
    Square,
    Triangle,
    Star,
}

/// <summary>The colours of a drawn object, by their adjectives.</summary>
internal enum SceneColor
{
    Red,
    Green,
    Blue,
    Yellow,
    Purple,
}

/// <summary>The two sizes of a drawn object, by their adjectives.</summary>
internal enum SceneSize
{
    Small,
    Large,
}

/// <summary>A drawn object.</summary>
/// <param name="Shape">Its form.</param>
/// <param name="Color">Its colour, as a word says it.</param>
/// <param name="Size">Its size, as a word says it.</param>
/// <param name="X">The column of its centre as a share of the picture's side.</param>
/// <param name="Y">The row of its centre as a share of the picture's side.</param>
/// <param name="Radius">Its extent as a share of the picture's side.</param>
/// <param name="Turn">By how much it is turned, in radians.</param>
/// <param name="Paint">The colour that it is drawn with: red, green, blue.</param>
internal sealed record SceneObject(
    SceneShape Shape, SceneColor Color, SceneSize Size, double X, double Y, double Radius, double Turn, (int Red, int Green, int Blue) Paint)
{
    private const int CircleCorners = 36;

    /// <summary>How far the object reaches from its centre, as a share of the picture's side.</summary>
    public double Reach => Radius * Shape switch { SceneShape.Circle => 1.0, SceneShape.Square => 1.25, _ => 1.2 };

    /// <summary>The outline as x and y of each corner in pixels, the centre of the first pixel at (0, 0).</summary>
    public double[] Outline(int pictureSize)
    {
        (int corners, double start) = Shape switch
        {
            SceneShape.Circle => (CircleCorners, 0.0),
            SceneShape.Square => (4, Math.PI / 4),
            SceneShape.Triangle => (3, -Math.PI / 2),
            _ => (10, -Math.PI / 2),
        };
        double[] outline = new double[2 * corners];
        for (int i = 0; i < corners; i++)
        {
            double reach = Reach * (Shape == SceneShape.Star && i % 2 == 1 ? 0.45 : 1.0);
            double angle = start + Turn + 2 * Math.PI * i / corners;
            outline[2 * i] = Math.Round((X + reach * Math.Cos(angle)) * pictureSize, 2);
            outline[2 * i + 1] = Math.Round((Y + reach * Math.Sin(angle)) * pictureSize, 2);
        }
        return outline;
    }
}
