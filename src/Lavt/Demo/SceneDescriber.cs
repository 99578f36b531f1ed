namespace Lavt.Demo;

/// <summary>A sentence about an object, in parts; null for what it does not say.</summary>
internal sealed record SceneSentence(SceneSize? Size, SceneColor? Color, SceneShape? Shape, ScenePlace? Place)
{
    private static readonly string[] s_places = ["on the left", "on the right", "at the top", "at the bottom"];

    /// <summary>The words, such as "the small red circle on the left".</summary>
    public override string ToString()
    {
        string[] words = ["the", Word(Size), Word(Color), Word(Shape) is { Length: > 0 } noun ? noun : "one", Place is { } place ? s_places[(int)place] : ""];
        return string.Join(' ', words.Where(word => word.Length > 0));
    }

    private static string Word<T>(T? value)
        where T : struct, Enum => value?.ToString().ToLowerInvariant() ?? "";
}

/// <summary>Where an object is, by the words for it.</summary>
internal enum ScenePlace
{
    Left,
    Right,
    Top,
    Bottom,
}

/// <summary>Finds the sentences that mean exactly one object of a scene.</summary>
internal static class SceneDescriber
{
    // An object is on the left if its centre is well in the left half; nothing that could be meant may be near that half.
    private const double Near = 0.42;
    private const double Far = 0.55;

    /// <summary>All sentences that mean <paramref name="item"/> and no other object of the scene.</summary>
    public static List<SceneSentence> Describe(List<SceneObject> scene, SceneObject item)
    {
        List<SceneSentence> sentences = [];
        ScenePlace?[] places = [null, .. Enum.GetValues<ScenePlace>()];
        foreach (ScenePlace? place in places)
        {
            for (int parts = 1; parts < 8; parts++)
            {
                SceneSentence sentence = new(
                    (parts & 1) != 0 ? item.Size : null, (parts & 2) != 0 ? item.Color : null, (parts & 4) != 0 ? item.Shape : null, place);
                if (IsTrue(sentence, item) && scene.TrueForAll(other => ReferenceEquals(other, item) || !CouldMean(sentence, other))) sentences.Add(sentence);
            }
        }
        return sentences;
    }

    /// <summary>True if a sentence might be taken to mean an object, also if it is but near the place that it names.</summary>
    public static bool CouldMean(SceneSentence sentence, SceneObject item) => Fits(sentence, item) && Offset(sentence.Place, item) < Far;

    /// <summary>How well a learner is served by a sentence: mostly the colour and the noun, and few words.</summary>
    public static double Weight(SceneSentence sentence) =>
        (sentence.Color is null ? 1 : 4) * (sentence.Shape is null ? 0.5 : 1) * (sentence.Size is null ? 1 : 0.7) * (sentence.Place is null ? 1 : 0.35);

    private static bool IsTrue(SceneSentence sentence, SceneObject item) => Fits(sentence, item) && Offset(sentence.Place, item) < Near;

    private static bool Fits(SceneSentence sentence, SceneObject item) =>
        (sentence.Size ?? item.Size) == item.Size && (sentence.Color ?? item.Color) == item.Color && (sentence.Shape ?? item.Shape) == item.Shape;

    /// <summary>How far the object is from the side that the word names, 0 … 1; 0 without a word.</summary>
    private static double Offset(ScenePlace? place, SceneObject item) => place switch
    {
        ScenePlace.Left => item.X,
        ScenePlace.Right => 1 - item.X,
        ScenePlace.Top => item.Y,
        ScenePlace.Bottom => 1 - item.Y,
        _ => 0,
    };
}
