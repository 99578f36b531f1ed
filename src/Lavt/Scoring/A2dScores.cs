using System.Globalization;
using System.Text;
using Lavt.Evaluation;

namespace Lavt.Scoring;

/// <summary>How well one predicted mask of A2D-Sentences fits the truth.</summary>
/// <param name="Name"><c>v_VIDEO_f_FRAME_i_INSTANCE</c>.</param>
/// <param name="Text">The sentence.</param>
/// <param name="Intersection">Pixels in both masks.</param>
/// <param name="Union">Pixels in one of the masks at least.</param>
/// <param name="Iou">Intersection over union; 0 where both masks are empty.</param>
/// <param name="Score">How sure the model was; 1 if nothing says so.</param>
public sealed record A2dResult(string Name, string Text, long Intersection, long Union, double Iou, double Score);

/// <summary>The scores of a set of masks of A2D-Sentences.</summary>
public sealed record A2dScores
{
    /// <summary>Mean and overall IoU and precision@X.</summary>
    public required Scores Scores { get; init; }

    /// <summary>Mean average precision from 0.5 to 0.95, in per cent.</summary>
    public required double MeanAveragePrecision { get; init; }

    /// <summary>Whether a file said how sure the model was of each mask; without, the order of the sentences decides the average precision.</summary>
    public required bool HasConfidences { get; init; }

    /// <summary>One row per sentence.</summary>
    public required IReadOnlyList<A2dResult> Results { get; init; }

    /// <summary>Predictions that are missing or broken; they count as empty.</summary>
    public required IReadOnlyList<string> Missing { get; init; }

    /// <summary>Predictions that belong to no sentence.</summary>
    public required IReadOnlyList<string> Surplus { get; init; }

    /// <summary>Writes the scores as JSON.</summary>
    /// <exception cref="IOException">The file could not be written; one that was there is whole.</exception>
    public void Save(string file) => ReportFile.Save(file, this);

    /// <summary>The scores as a table.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        Row("mean IoU", Scores.MeanIou);
        Row("overall IoU", Scores.OverallIou);
        foreach ((string threshold, double share) in Scores.Precision) Row("precision@" + threshold, share);
        Row("mAP 0.5:0.95", MeanAveragePrecision);
        text.AppendLine(CultureInfo.InvariantCulture, $"{Results.Count} sentences, {Missing.Count} predictions missing or broken, {Surplus.Count} surplus");
        if (!HasConfidences) text.AppendLine("without scores.json all masks count as equally sure, and mAP depends on the order of the sentences");
        return text.ToString();

        void Row(string name, double value) => text.AppendLine(CultureInfo.InvariantCulture, $"{name,-16}{value,8:F2}");
    }
}
