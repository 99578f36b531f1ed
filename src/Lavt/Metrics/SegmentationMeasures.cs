namespace Lavt.Metrics;

/// <summary>
/// The figures of referring segmentation over many sentences: mean IoU, overall IoU (intersections over unions, both summed
/// up first) and precision@X (the share of sentences with an IoU of at least X).
/// </summary>
/// <remarks>Source: the evaluation of the published LAVT code. All figures are in per cent.</remarks>
public sealed class SegmentationMeasures
{
    private static readonly double[] s_thresholds = [0.5, 0.6, 0.7, 0.8, 0.9];
    private readonly long[] _passed = new long[s_thresholds.Length];
    private double _iouSum;
    private long _intersections;
    private long _unions;

    /// <summary>The bounds X of precision@X.</summary>
    public static IReadOnlyList<double> Thresholds => s_thresholds;

    /// <summary>The number of sentences so far.</summary>
    public long Count { get; private set; }

    /// <summary>The mean of the sentences' IoU in per cent; 0 without sentences.</summary>
    public double MeanIou => Count == 0 ? 0 : 100 * _iouSum / Count;

    /// <summary>The sum of all intersections over the sum of all unions in per cent; 0 if nothing is covered.</summary>
    public double OverallIou => _unions == 0 ? 0 : 100.0 * _intersections / _unions;

    /// <summary>Adds the masks of a sentence; every value but 0 is covered.</summary>
    /// <returns>How the masks overlap.</returns>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public MaskOverlap Add(ReadOnlySpan<byte> prediction, ReadOnlySpan<byte> truth)
    {
        MaskOverlap overlap = MaskOverlap.Of(prediction, truth);
        Add(overlap);
        return overlap;
    }

    /// <summary>Adds a sentence.</summary>
    public void Add(MaskOverlap overlap)
    {
        Count++;
        _iouSum += overlap.Iou;
        _intersections += overlap.Intersection;
        _unions += overlap.Union;
        for (int i = 0; i < s_thresholds.Length; i++)
        {
            if (overlap.Iou >= s_thresholds[i]) _passed[i]++;
        }
    }

    /// <summary>The share of sentences with an IoU of at least <c>Thresholds[index]</c> in per cent; 0 without sentences.</summary>
    public double Precision(int index) => Count == 0 ? 0 : 100.0 * _passed[index] / Count;
}
