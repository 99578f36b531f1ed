namespace Lavt.Text;

/// <summary>A sentence as a row of word pieces.</summary>
/// <param name="Ids">The ids, padded with 0 to the length of the row.</param>
/// <param name="Count">How many of them belong to the sentence; the attention mask is 1 there and 0 behind.</param>
/// <param name="FullLength">How many pieces the sentence has; more than <paramref name="Count"/> if it was cut off.</param>
public sealed record Tokens(int[] Ids, int Count, int FullLength)
{
    /// <summary>No sentence at all.</summary>
    public static Tokens None { get; } = new([], 0, 0);

    /// <summary>True if the sentence did not fit into the row.</summary>
    public bool IsCutOff => FullLength > Count;
}
