namespace Lavt.Demo;

/// <summary>The colours of the demo's objects.</summary>
public enum ObjectColour
{
    /// <summary>Red.</summary>
    Red,

    /// <summary>Green.</summary>
    Green,

    /// <summary>Blue.</summary>
    Blue,

    /// <summary>Yellow.</summary>
    Yellow,

    /// <summary>Purple.</summary>
    Purple,

    /// <summary>Orange.</summary>
    Orange,
}

/// <summary>The shapes of the demo's objects.</summary>
public enum ObjectShape
{
    /// <summary>A disk.</summary>
    Circle,

    /// <summary>A square.</summary>
    Square,

    /// <summary>An equilateral triangle.</summary>
    Triangle,

    /// <summary>A star of five points.</summary>
    Star,
}

/// <summary>The sizes of the demo's objects.</summary>
public enum ObjectSize
{
    /// <summary>Small.</summary>
    Small,

    /// <summary>Large, clearly larger than every small one.</summary>
    Large,
}

/// <summary>One object of a drawn scene.</summary>
/// <param name="Colour">Its colour.</param>
/// <param name="Shape">Its shape.</param>
/// <param name="Size">Its size.</param>
/// <param name="X">The column of its centre in pixels.</param>
/// <param name="Y">The row of its centre in pixels.</param>
/// <param name="Radius">About its radius in pixels; every corner lies within <see cref="Reach"/>.</param>
/// <param name="Turn">How far it is turned, in degrees.</param>
public sealed record SceneObject(ObjectColour Colour, ObjectShape Shape, ObjectSize Size, double X, double Y, double Radius, double Turn)
{
    /// <summary>The farthest corner of any shape, in radii.</summary>
    public const double LongestRay = 1.25;

    private const int CircleCorners = 40;

    /// <summary>The distance from the centre that no corner passes, in pixels.</summary>
    public double Reach => LongestRay * Radius;

    /// <summary>The corners, x and y in turn, in pixels.</summary>
    public double[] Outline() => Shape switch
    {
        ObjectShape.Circle => Corners(CircleCorners, 0, [1]),
        ObjectShape.Square => Corners(4, 45, [1.15]),
        ObjectShape.Triangle => Corners(3, -90, [LongestRay]),
        _ => Corners(10, -90, [1.2, 0.52]),
    };

    /// <summary>Corners at even angles, at distances (in radii) that repeat.</summary>
    private double[] Corners(int count, double firstAngle, ReadOnlySpan<double> rays)
    {
        double[] corners = new double[2 * count];
        for (int i = 0; i < count; i++)
        {
            double angle = (firstAngle + Turn + 360.0 * i / count) * Math.PI / 180;
            double ray = Radius * rays[i % rays.Length];
            corners[2 * i] = X + ray * Math.Cos(angle);
            corners[2 * i + 1] = Y + ray * Math.Sin(angle);
        }
        return corners;
    }
}
