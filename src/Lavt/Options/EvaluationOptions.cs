namespace Lavt.Options;

/// <summary>What an evaluation or prediction writes.</summary>
public sealed record EvaluationOptions
{
    /// <summary><c>--json</c>: a file for the results with one row per sentence; null for none.</summary>
    public string? JsonFile { get; init; }

    /// <summary><c>--overlay</c>: a folder for pictures with the masks drawn over them; null for none.</summary>
    public string? OverlayFolder { get; init; }

    /// <summary>
    /// <c>--swap-sentences</c>: give the model a sentence of another object of the same picture each time. Where the language
    /// decides, the scores break down.
    /// </summary>
    public bool SwapSentences { get; init; }

    /// <summary><c>--a2d_masks</c>: write the predicted masks of A2D.</summary>
    public bool A2dMasks { get; init; }

    /// <summary><c>--save_feats</c>: write pictures of the features.</summary>
    public bool SaveFeatures { get; init; }

    /// <summary><c>--visualize</c>: write Refer-YouTube-VOS frames with the mask blended in.</summary>
    public bool Visualize { get; init; }

    /// <summary><c>--masks</c>: a folder for the predicted masks of clips; null for the default of the data set.</summary>
    public string? MaskFolder { get; init; }

    /// <summary><c>--zip</c>: a file for the masks of Refer-YouTube-VOS as its competition takes them; null for none.</summary>
    public string? ZipFile { get; init; }
}
