using System.Globalization;
using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>Word masks and ids of golden files.</summary>
internal static class Masks
{
    /// <summary>1 for the first <c>valid_words</c> entries of each sentence, 0 behind: [B, L].</summary>
    public static Tensor FirstWords(int batch, int words, GoldenFile file)
    {
        // Files that do not say how many words are valid mean all of the first sentence's, and four of every other's.
        int[] valid = file.Has("valid_words")
            ? [.. file["valid_words"].Split(',').Select(v => int.Parse(v, CultureInfo.InvariantCulture))]
            : [words, .. Enumerable.Repeat(4, batch - 1)];
        return FirstWords(words, valid);
    }

    /// <summary>1 for the first entries of each sentence, 0 behind: [B, L].</summary>
    public static Tensor FirstWords(int words, params int[] valid)
    {
        Tensor mask = Tensor.Zeros([valid.Length, words]);
        for (int b = 0; b < valid.Length; b++) mask.Span<float>().Slice(b * words, valid[b]).Fill(1);
        return mask;
    }
}
