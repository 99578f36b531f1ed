using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;
using Lavt.Metrics;

namespace Lavt.Evaluation;

/// <summary>The figures over all sentences, in per cent.</summary>
/// <param name="Sentences">How many sentences were evaluated.</param>
/// <param name="MeanIou">The mean of the sentences' IoU.</param>
/// <param name="OverallIou">All intersections over all unions.</param>
/// <param name="Precision">The share of sentences with an IoU of at least X, under <c>0.5</c> to <c>0.9</c>.</param>
public sealed record Scores(long Sentences, double MeanIou, double OverallIou, IReadOnlyDictionary<string, double> Precision)
{
    /// <summary>Mean average precision from 0.5 to 0.95 by COCO's rules; null for pictures, of which it is not usual.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public double? MeanAveragePrecision { get; init; }

    /// <summary>The figures so far.</summary>
    public static Scores Of(SegmentationMeasures measures)
    {
        ArgumentNullException.ThrowIfNull(measures);
        Dictionary<string, double> precision = [];
        for (int i = 0; i < SegmentationMeasures.Thresholds.Count; i++)
            precision[SegmentationMeasures.Thresholds[i].ToString(CultureInfo.InvariantCulture)] = measures.Precision(i);
        return new Scores(measures.Count, measures.MeanIou, measures.OverallIou, precision);
    }
}

/// <summary>How one sentence's mask overlaps the truth.</summary>
/// <param name="RefId">The number of the reference; for clips that of the sample, from 0.</param>
/// <param name="SentenceIndex">Which of the reference's sentences, from 0.</param>
/// <param name="Text">The sentence that was given to the model.</param>
/// <param name="Intersection">Pixels in both masks, at <c>--img_size</c>.</param>
/// <param name="Union">Pixels in one of the masks at least, at <c>--img_size</c>.</param>
/// <param name="Iou">Intersection over union.</param>
/// <param name="OriginalIntersection">Pixels in both masks, at the picture's own size.</param>
/// <param name="OriginalUnion">Pixels in one of the masks at least, at the picture's own size.</param>
/// <param name="OriginalIou">Intersection over union at the picture's own size.</param>
public sealed record SentenceResult(
    long RefId, int SentenceIndex, string Text,
    long Intersection = 0, long Union = 0, double Iou = 0,
    long OriginalIntersection = 0, long OriginalUnion = 0, double OriginalIou = 0)
{
    /// <summary>What the data set calls the sentence, such as <c>v_VIDEO_f_FRAME_i_INSTANCE</c>; null for pictures.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Name { get; init; }
}

/// <summary>All results of an evaluation; <c>--json</c> writes it.</summary>
public sealed record EvaluationReport
{
    /// <summary>The data set.</summary>
    public required string Dataset { get; init; }

    /// <summary>Who cut it into splits; empty where there is one way.</summary>
    public required string SplitBy { get; init; }

    /// <summary>The split.</summary>
    public required string Split { get; init; }

    /// <summary>The file of the weights.</summary>
    public required string Checkpoint { get; init; }

    /// <summary>Rows and columns of the model's input.</summary>
    public required int ImageSize { get; init; }

    /// <summary>Whether each sentence was replaced by one of another object of the same picture.</summary>
    public required bool SwappedSentences { get; init; }

    /// <summary>How long the evaluation took, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>The most memory the process had, in MiB.</summary>
    public required long PeakMemoryMib { get; init; }

    /// <summary>The figures at <c>--img_size</c>, as the published evaluation gives them.</summary>
    public required Scores Scores { get; init; }

    /// <summary>The figures at the pictures' own sizes.</summary>
    public required Scores OriginalSizeScores { get; init; }

    /// <summary>Samples that could not be read, and why.</summary>
    public required IReadOnlyList<string> BrokenSamples { get; init; }

    /// <summary>One row per sentence.</summary>
    public required IReadOnlyList<SentenceResult> Results { get; init; }

    /// <summary>Writes the report as JSON.</summary>
    /// <exception cref="IOException">The file could not be written; one that was there is whole.</exception>
    public void Save(string file) => ReportFile.Save(file, this);

    /// <summary>Reads a report.</summary>
    public static EvaluationReport Load(string file) => ReportFile.Load<EvaluationReport>(file);

    /// <summary>The figures for people, in the published evaluation's words.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"{Dataset}{(SplitBy.Length > 0 ? $" ({SplitBy}) {Split}" : "")}: {Scores.Sentences} sentences in {Seconds:F1} s, at most {PeakMemoryMib} MiB");
        text.AppendLine(CultureInfo.InvariantCulture, $"{"",-16}{$"at {ImageSize} x {ImageSize}",14}{"at own size",14}");
        Row("mean IoU", scores => scores.MeanIou);
        Row("overall IoU", scores => scores.OverallIou);
        foreach (string threshold in Scores.Precision.Keys)
            Row("precision@" + threshold, scores => scores.Precision[threshold]);
        if (Scores.MeanAveragePrecision is not null) Row("mAP 0.5:0.95", scores => scores.MeanAveragePrecision!.Value);
        return text.ToString();

        void Row(string name, Func<Scores, double> value) =>
            text.AppendLine(CultureInfo.InvariantCulture, $"{name,-16}{value(Scores),14:F2}{value(OriginalSizeScores),14:F2}");
    }
}
