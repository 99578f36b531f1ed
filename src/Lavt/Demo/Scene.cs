namespace Lavt.Demo;

/// <summary>A drawn picture: objects that do not touch each other, and sentences that each fit just one of them.</summary>
/// <param name="Rows">The height in pixels.</param>
/// <param name="Columns">The width in pixels.</param>
/// <param name="Objects">What the picture shows.</param>
/// <param name="Sentences">For every object the sentences that fit it alone; none where no sentence does.</param>
public sealed record Scene(int Rows, int Columns, IReadOnlyList<SceneObject> Objects, IReadOnlyList<IReadOnlyList<string>> Sentences)
{
    /// <summary>Two objects at least must have sentences, or no sentence could be mistaken for another object's.</summary>
    private const int LeastReferred = 2;

    private const int Tries = 50;

    /// <summary>Draws lots for a scene.</summary>
    /// <param name="random">Where the lots come from.</param>
    /// <param name="allowed">Which pairs of colour and shape may occur.</param>
    public static Scene Draw(Random random, Func<ObjectColour, ObjectShape, bool> allowed)
    {
        ArgumentNullException.ThrowIfNull(random);
        ArgumentNullException.ThrowIfNull(allowed);
        while (true)
        {
            int rows = random.Next(112, 145), columns = random.Next(128, 161);
            List<SceneObject> objects = Place(random, rows, columns, allowed);
            IReadOnlyList<string>[] sentences = [.. objects.Select(target => Describer.Describe(target, objects, random))];
            if (sentences.Count(list => list.Count > 0) >= LeastReferred)
                return new Scene(rows, columns, objects, sentences);
        }
    }

    /// <summary>Few colours and shapes per scene, so that neither alone tells the objects apart.</summary>
    private static List<SceneObject> Place(Random random, int rows, int columns, Func<ObjectColour, ObjectShape, bool> allowed)
    {
        int count = random.Next(2, 5);
        ObjectColour[] colours = Choose<ObjectColour>(random, count < 4 ? 2 : 3);
        ObjectShape[] shapes = Choose<ObjectShape>(random, 2);
        List<SceneObject> objects = [];
        for (int attempt = 0; attempt < Tries * count && objects.Count < count; attempt++)
        {
            ObjectColour colour = colours[random.Next(colours.Length)];
            ObjectShape shape = shapes[random.Next(shapes.Length)];
            ObjectSize size = random.Next(2) == 0 ? ObjectSize.Small : ObjectSize.Large;
            double radius = size == ObjectSize.Small ? Between(random, 12, 14.5) : Between(random, 20, 25);
            double reach = SceneObject.LongestRay * radius;
            var drawn = new SceneObject(colour, shape, size,
                Between(random, reach, columns - reach), Between(random, reach, rows - reach), radius, Between(random, -15, 15));
            if (allowed(colour, shape) && objects.TrueForAll(other => Apart(drawn, other)))
                objects.Add(drawn);
        }
        return objects;
    }

    private static bool Apart(SceneObject a, SceneObject b) =>
        Math.Sqrt((a.X - b.X) * (a.X - b.X) + (a.Y - b.Y) * (a.Y - b.Y)) > a.Reach + b.Reach;

    private static double Between(Random random, double low, double high) => low + (high - low) * random.NextDouble();

    private static T[] Choose<T>(Random random, int count) where T : struct, Enum
    {
        T[] all = Enum.GetValues<T>();
        random.Shuffle(all);
        return all[..count];
    }
}
