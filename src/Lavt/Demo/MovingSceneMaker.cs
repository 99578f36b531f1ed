using Lavt.Data;

namespace Lavt.Demo;

/// <summary>Thinks up moving scenes: objects that never touch or leave the picture.</summary>
/// <param name="random">Where the choices come from.</param>
internal sealed class MovingSceneMaker(RandomSequence random)
{
    private const int Tries = 80;
    private const int Checks = 9;
    private const double Gap = 0.03;
    private static readonly (int Red, int Green, int Blue)[] s_paints = [(208, 44, 44), (46, 150, 62), (44, 84, 204), (230, 200, 40), (142, 58, 160)];

    /// <summary>A scene.</summary>
    /// <param name="count">The number of objects, at least 2.</param>
    /// <param name="twins">Whether the first two look alike, so that only their motion tells them apart.</param>
    public List<MovingObject> Make(int count, bool twins)
    {
        while (true)
        {
            List<MovingObject> scene = Draw(count, twins);
            if (scene.Count == count) return scene;
        }
    }

    private List<MovingObject> Draw(int count, bool twins)
    {
        List<SceneColor> colors = [.. Enum.GetValues<SceneColor>()];
        List<SceneMotion> motions = [.. Enum.GetValues<SceneMotion>()];
        List<MovingObject> scene = [];
        for (int i = 0; i < count; i++)
        {
            SceneObject looks = twins && i == 1 ? scene[0].Middle : Looks(colors);
            // Twins move in different ways.
            SceneMotion motion = twins && i < 2 ? Take(motions) : (SceneMotion)random.Below(5);
            if (Place(scene, looks, motion) is not { } item) break;
            scene.Add(item);
        }
        return scene;
    }

    private SceneObject Looks(List<SceneColor> colors)
    {
        SceneColor color = Take(colors);
        (int red, int green, int blue) = s_paints[(int)color];
        return new SceneObject(
            (SceneShape)random.Below(4), color, SceneSize.Small, 0, 0, random.Between(0.1, 0.125), random.Between(-0.15, 0.15), (Vary(red), Vary(green), Vary(blue)));
    }

    private T Take<T>(List<T> from)
    {
        int place = random.Below(from.Count);
        T taken = from[place];
        from.RemoveAt(place);
        return taken;
    }

    /// <summary>Looks for a way that is free at all times; null if there seems to be none.</summary>
    private MovingObject? Place(List<MovingObject> scene, SceneObject looks, SceneMotion motion)
    {
        for (int attempt = 0; attempt < Tries; attempt++)
        {
            double way = motion == SceneMotion.Still ? 0 : random.Between(0.35, 0.5);
            MovingObject item = new(looks with { X = random.Between(0, 1), Y = random.Between(0, 1) }, motion, way);
            if (Enumerable.Range(0, Checks).All(check => IsFree(scene, item, check / (Checks - 1.0)))) return item;
        }
        return null;
    }

    private static bool IsFree(List<MovingObject> scene, MovingObject item, double time)
    {
        SceneObject here = item.At(time);
        double margin = here.Reach + Gap;
        return Math.Min(here.X, here.Y) > margin && Math.Max(here.X, here.Y) < 1 - margin
            && scene.TrueForAll(other => Distance(other.At(time), here) > other.Middle.Reach + margin);
    }

    private int Vary(int channel) => Math.Clamp(channel + random.Below(25) - 12, 0, 255);

    private static double Distance(SceneObject a, SceneObject b) => Math.Sqrt((a.X - b.X) * (a.X - b.X) + (a.Y - b.Y) * (a.Y - b.Y));
}
