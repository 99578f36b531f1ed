namespace Lavt.Demo;

/// <summary>Makes sentences that fit one object of a scene and no other.</summary>
internal static class Describer
{
    private const int MostSentences = 3;

    /// <summary>How many pixels farther to a side than the next one an object must lie to be called the one on that side.</summary>
    private const double ClearLead = 12;

    private static readonly string[] s_anyObject = ["object", "thing", "shape"];

    /// <summary>The attributes that a sentence may name.</summary>
    [Flags]
    private enum Named
    {
        Colour = 1,
        Shape = 2,
        Size = 4,
    }

    private static readonly Named[] s_combinations =
    [
        Named.Shape, Named.Colour, Named.Colour | Named.Shape,
        Named.Size | Named.Shape, Named.Size | Named.Colour, Named.Size | Named.Colour | Named.Shape,
    ];

    private static readonly (Func<SceneObject, double> Position, string[] Forms)[] s_sides =
    [
        (it => it.X, ["the {0} on the left", "left {0}", "leftmost {0}"]),
        (it => -it.X, ["the {0} on the right", "right {0}", "rightmost {0}"]),
        (it => it.Y, ["the {0} at the top", "top {0}", "upper {0}"]),
        (it => -it.Y, ["the {0} at the bottom", "bottom {0}", "lower {0}"]),
    ];

    /// <summary>All words that sentences are made of.</summary>
    public static IEnumerable<string> Words =>
        Enum.GetNames<ObjectColour>().Concat(Enum.GetNames<ObjectShape>()).Concat(Enum.GetNames<ObjectSize>()).Select(name => name.ToLowerInvariant())
            .Concat(s_anyObject)
            .Concat(s_sides.SelectMany(side => side.Forms).SelectMany(form => form.Split(' ')).Where(word => word != "{0}"))
            .Distinct();

    /// <summary>Up to three sentences for an object, those that name the fewest things first.</summary>
    public static IReadOnlyList<string> Describe(SceneObject target, IReadOnlyList<SceneObject> scene, Random random)
    {
        List<(int Length, string Text)> found = [];
        foreach (Named named in s_combinations)
        {
            SceneObject[] alike = [.. scene.Where(other => Agree(target, other, named))];
            int length = int.PopCount((int)named);
            string name = Name(target, named, random);
            if (alike.Length == 1)
                found.Add((length, random.Next(3) == 0 ? "the " + name : name));
            else if (!named.HasFlag(Named.Size))
                found.AddRange(Sides(target, alike).Select(forms => (length + 1, string.Format(null, forms[random.Next(forms.Length)], name))));
        }
        // The order among equally long ones is drawn by lot, or the first side would always win.
        return [.. found.Select(item => (item.Length, Lot: random.Next(), item.Text)).OrderBy(item => item.Length).ThenBy(item => item.Lot)
            .Select(item => item.Text).Take(MostSentences)];
    }

    private static bool Agree(SceneObject a, SceneObject b, Named named) =>
        (!named.HasFlag(Named.Colour) || a.Colour == b.Colour)
        && (!named.HasFlag(Named.Shape) || a.Shape == b.Shape)
        && (!named.HasFlag(Named.Size) || a.Size == b.Size);

    private static string Name(SceneObject target, Named named, Random random)
    {
        List<string> words = [];
        if (named.HasFlag(Named.Size))
            words.Add(target.Size.ToString());
        if (named.HasFlag(Named.Colour))
            words.Add(target.Colour.ToString());
        words.Add(named.HasFlag(Named.Shape) ? target.Shape.ToString() : s_anyObject[random.Next(s_anyObject.Length)]);
        return string.Join(' ', words).ToLowerInvariant();
    }

    /// <summary>The forms of every side on which the target lies clearly farther out than the others like it.</summary>
    private static IEnumerable<string[]> Sides(SceneObject target, SceneObject[] alike) =>
        s_sides.Where(side => alike.All(other => other == target || side.Position(other) - side.Position(target) > ClearLead))
            .Select(side => side.Forms);
}
