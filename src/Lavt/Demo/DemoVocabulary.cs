namespace Lavt.Demo;

/// <summary>The vocabulary of the drawn scenes: BERT's special pieces, the words of the sentences, and letters, digits and signs for all others.</summary>
internal static class DemoVocabulary
{
    /// <summary>One piece a line.</summary>
    /// <param name="more">Words beside those of still scenes.</param>
    public static string Text(params string[] more)
    {
        List<string> pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "a", "one", "object", "on", "at", "in", "left", "right", "top", "bottom", "middle"];
        pieces.AddRange(Enum.GetNames<SceneSize>().Concat(Enum.GetNames<SceneColor>()).Concat(Enum.GetNames<SceneShape>()).Select(name => name.ToLowerInvariant()));
        pieces.AddRange(more);
        string[] letters = [.. Enumerable.Range('a', 26).Concat(Enumerable.Range('0', 10)).Select(letter => ((char)letter).ToString())];
        pieces.AddRange(letters);
        pieces.AddRange(letters.Select(letter => "##" + letter));
        pieces.AddRange(".,;:!?'\"()-/&".Select(sign => sign.ToString()));
        return string.Concat(pieces.Distinct().Select(piece => piece + "\n"));
    }
}
