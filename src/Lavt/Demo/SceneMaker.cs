using Lavt.Data;

namespace Lavt.Demo;

/// <summary>Thinks up scenes: objects that do not touch, at least two of which differ in colour or shape.</summary>
/// <param name="random">Where the choices come from.</param>
/// <param name="twinShare">The share of scenes of three objects and more that have two of the same colour.</param>
internal sealed class SceneMaker(RandomSequence random, double twinShare)
{
    private const int Tries = 60;
    private const double Gap = 0.03;
    private static readonly (int Red, int Green, int Blue)[] s_paints = [(208, 44, 44), (46, 150, 62), (44, 84, 204), (230, 200, 40), (142, 58, 160)];

    /// <summary>A scene in which every object has a sentence of its own.</summary>
    /// <param name="count">The number of objects, at least 2.</param>
    public List<SceneObject> Make(int count)
    {
        while (true)
        {
            List<SceneObject> scene = Draw(count);
            if (scene.Count == count && scene.TrueForAll(item => SceneDescriber.Describe(scene, item).Count > 0)) return scene;
        }
    }

    private List<SceneObject> Draw(int count)
    {
        bool twins = random.Between(0, 1) < twinShare;
        List<SceneColor> colors = [.. Enum.GetValues<SceneColor>()];
        List<SceneObject> scene = [];
        for (int i = 0; i < count; i++)
        {
            // The last object shares the first one's colour, in every other case its form too; the rest have colours of their own.
            bool twin = twins && i > 1 && i == count - 1;
            int place = random.Below(colors.Count);
            SceneColor color = twin ? scene[0].Color : colors[place];
            SceneShape shape = twin && random.Below(2) == 0 ? scene[0].Shape : (SceneShape)random.Below(4);
            SceneSize size = (SceneSize)random.Below(2);
            if (!twin) colors.RemoveAt(place);
            if (Place(scene, shape, color, size) is not { } item) break;
            scene.Add(item);
        }
        return scene;
    }

    /// <summary>Looks for a place that is free; null if there seems to be none.</summary>
    private SceneObject? Place(List<SceneObject> scene, SceneShape shape, SceneColor color, SceneSize size)
    {
        for (int attempt = 0; attempt < Tries; attempt++)
        {
            double radius = size == SceneSize.Small ? random.Between(0.115, 0.13) : random.Between(0.175, 0.2);
            (int red, int green, int blue) = s_paints[(int)color];
            SceneObject item = new(shape, color, size, random.Between(0, 1), random.Between(0, 1), radius, random.Between(-0.15, 0.15), (Vary(red), Vary(green), Vary(blue)));
            double margin = item.Reach + Gap;
            bool inside = Math.Min(item.X, item.Y) > margin && Math.Max(item.X, item.Y) < 1 - margin;
            if (inside && scene.TrueForAll(other => Distance(other, item) > other.Reach + item.Reach + Gap)) return item;
        }
        return null;
    }

    private int Vary(int channel) => Math.Clamp(channel + random.Below(25) - 12, 0, 255);

    private static double Distance(SceneObject a, SceneObject b) => Math.Sqrt((a.X - b.X) * (a.X - b.X) + (a.Y - b.Y) * (a.Y - b.Y));
}
