namespace Lavt.Demo;

/// <summary>How an object moves, by the words for it.</summary>
internal enum SceneMotion
{
    Left,
    Right,
    Up,
    Down,
    Still,
}

/// <summary>A drawn object that moves.</summary>
/// <param name="Middle">The object where it is in the middle of the video.</param>
/// <param name="Motion">How it moves.</param>
/// <param name="Way">How far it comes from the first frame to the last, as a share of the picture's side; 0 if it stays.</param>
internal sealed record MovingObject(SceneObject Middle, SceneMotion Motion, double Way)
{
    /// <summary>The object at a time of the video, from 0 to 1.</summary>
    public SceneObject At(double time)
    {
        double step = Way * (time - 0.5);
        return Motion switch
        {
            SceneMotion.Left => Middle with { X = Middle.X - step },
            SceneMotion.Right => Middle with { X = Middle.X + step },
            SceneMotion.Up => Middle with { Y = Middle.Y - step },
            SceneMotion.Down => Middle with { Y = Middle.Y + step },
            _ => Middle,
        };
    }
}

/// <summary>A sentence about a moving object, in parts; null for what it does not say.</summary>
internal sealed record MotionSentence(SceneColor? Color, SceneShape? Shape, SceneMotion? Motion)
{
    /// <summary>The words of sentences about motion, beside those of still scenes.</summary>
    public static readonly string[] Words = ["moving", "left", "right", "up", "down", "standing", "still"];

    /// <summary>All sentences that mean an object and no other of the scene.</summary>
    public static List<MotionSentence> Describe(List<MovingObject> scene, MovingObject item)
    {
        List<MotionSentence> sentences = [];
        for (int parts = 1; parts < 8; parts++)
        {
            MotionSentence sentence = new(
                (parts & 1) != 0 ? item.Middle.Color : null, (parts & 2) != 0 ? item.Middle.Shape : null, (parts & 4) != 0 ? item.Motion : null);
            if (scene.Count(sentence.Fits) == 1) sentences.Add(sentence);
        }
        return sentences;
    }

    /// <summary>Whether the sentence is true of an object.</summary>
    public bool Fits(MovingObject item) =>
        (Color ?? item.Middle.Color) == item.Middle.Color && (Shape ?? item.Middle.Shape) == item.Middle.Shape && (Motion ?? item.Motion) == item.Motion;

    /// <summary>The words, such as "the red circle moving left".</summary>
    public override string ToString()
    {
        string motion = Motion switch { null => "", SceneMotion.Still => "standing still", { } way => "moving " + way.ToString().ToLowerInvariant() };
        string[] words = ["the", Color?.ToString().ToLowerInvariant() ?? "", Shape?.ToString().ToLowerInvariant() ?? "one", motion];
        return string.Join(' ', words.Where(word => word.Length > 0));
    }
}
