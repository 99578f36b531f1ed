namespace Lavt.Data;

/// <summary>What <see cref="Verifier"/> saw.</summary>
public sealed record DataReport
{
    /// <summary>The number of samples (objects, videos or clips) of each split, in the order of their first appearance.</summary>
    public required IReadOnlyList<(string Split, int Samples)> Splits { get; init; }

    /// <summary>The number of samples that could be looked up.</summary>
    public required int Samples { get; init; }

    /// <summary>The number of different pictures, or of frames; of clips where only a few frames of each are read.</summary>
    public required int Pictures { get; init; }

    /// <summary>The number of sentences.</summary>
    public required int Sentences { get; init; }

    /// <summary>The number of sentences that are longer than a row of word pieces and lose their end; 0 without a vocabulary.</summary>
    public required int CutOffSentences { get; init; }

    /// <summary>The number of problems that would stop training or evaluation.</summary>
    public required int Errors { get; init; }

    /// <summary>The number of problems that would not.</summary>
    public required int Warnings { get; init; }
}
