using System.Text.Json;
using Lavt.Metrics;
using Lavt.Nn.Parallel;

namespace Lavt.Evaluation;

/// <summary>What an evaluation of masks has counted so far, at the model's size and at the original sizes.</summary>
internal sealed class MaskTally
{
    private readonly AveragePrecision _precision = new();
    private readonly AveragePrecision _originalPrecision = new();
    private readonly SegmentationMeasures _measures = new();
    private readonly SegmentationMeasures _originalMeasures = new();
    private readonly List<double> _confidences = [];

    /// <summary>One row per sentence.</summary>
    public List<SentenceResult> Results { get; } = [];

    /// <summary>Samples that could not be read, and why.</summary>
    public List<string> Broken { get; } = [];

    /// <summary>The figures at the model's size.</summary>
    public Scores Scores => Scores.Of(_measures);

    /// <summary>The figures at the original sizes.</summary>
    public Scores OriginalSizeScores => Scores.Of(_originalMeasures);

    /// <summary>The figures at the model's size with mean average precision.</summary>
    public Scores ScoresWithPrecision => Scores with { MeanAveragePrecision = _precision.Mean() };

    /// <summary>The figures at the original sizes with mean average precision.</summary>
    public Scores OriginalSizeScoresWithPrecision => OriginalSizeScores with { MeanAveragePrecision = _originalPrecision.Mean() };

    /// <summary>Adds a sentence.</summary>
    /// <param name="row">What it is called; its overlaps are filled in.</param>
    /// <param name="overlap">How the masks overlap at the model's size.</param>
    /// <param name="original">How they overlap at the original size.</param>
    /// <param name="confidence">How sure the model is, for the order of average precision.</param>
    public void Add(SentenceResult row, MaskOverlap overlap, MaskOverlap original, double confidence = 1)
    {
        _measures.Add(overlap);
        _originalMeasures.Add(original);
        _confidences.Add(confidence);
        _precision.Add(confidence, overlap.Iou);
        _originalPrecision.Add(confidence, original.Iou);
        Results.Add(row with
        {
            Intersection = overlap.Intersection,
            Union = overlap.Union,
            Iou = overlap.Iou,
            OriginalIntersection = original.Intersection,
            OriginalUnion = original.Union,
            OriginalIou = original.Iou,
        });
    }

    /// <summary>
    /// What all devices have counted, each its part, in the order of the parts: the same numbers as if one device had done
    /// everything.
    /// </summary>
    /// <param name="devices">The devices; all must call it.</param>
    /// <param name="stop">If a stop was asked for on any of them, the evaluation is incomplete on all.</param>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public MaskTally OfAll(CollectiveQueue devices, CancellationToken stop)
    {
        if (devices.Any(stop.IsCancellationRequested)) throw new OperationCanceledException(stop);
        if (devices.Size == 1) return this;
        var all = new MaskTally();
        foreach (byte[] part in devices.Gather(JsonSerializer.SerializeToUtf8Bytes(new Part(Results, _confidences, Broken))))
        {
            Part found = JsonSerializer.Deserialize<Part>(part)!;
            foreach ((SentenceResult row, double confidence) in found.Results.Zip(found.Confidences))
                all.Add(row, new MaskOverlap(row.Intersection, row.Union), new MaskOverlap(row.OriginalIntersection, row.OriginalUnion), confidence);
            all.Broken.AddRange(found.Broken);
        }
        return all;
    }

    private sealed record Part(List<SentenceResult> Results, List<double> Confidences, List<string> Broken);
}
