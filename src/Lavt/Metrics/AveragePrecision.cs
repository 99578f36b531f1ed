namespace Lavt.Metrics;

/// <summary>
/// Mean average precision over IoU thresholds from 0.5 to 0.95, for pictures with one object and one prediction each.
/// </summary>
/// <remarks>
/// Equation: at each threshold t, predictions in the order of their scores count as found where IoU ≥ t; precision, made to
/// fall with recall, is read at the recalls 0, 0.01, … 1 and averaged. Source: COCOeval of the COCO toolbox (areas: all, one
/// category), to the rounding of its numbers.
/// </remarks>
public sealed class AveragePrecision
{
    private const int Thresholds = 10;
    private const int Recalls = 101;
    private readonly List<(double Score, double Iou)> _predictions = [];

    /// <summary>Adds the prediction of a picture. Among equal scores the earlier one counts first.</summary>
    /// <param name="score">How sure the prediction is; only the order matters.</param>
    /// <param name="iou">Intersection over union with the truth; 0 where both are empty.</param>
    public void Add(double score, double iou) => _predictions.Add((score, iou));

    /// <summary>The mean over all thresholds in per cent; 0 without predictions.</summary>
    public double Mean()
    {
        if (_predictions.Count == 0) return 0;
        double[] ious = [.. _predictions.OrderByDescending(prediction => prediction.Score).Select(prediction => prediction.Iou)];
        return 100 * Enumerable.Range(0, Thresholds).Average(i => At(ious, 0.5 + i * ((0.95 - 0.5) / 9)));
    }

    private static double At(double[] ious, double threshold)
    {
        threshold = Math.Min(threshold, 1 - 1e-10);
        double[] precision = new double[ious.Length], recall = new double[ious.Length];
        int found = 0;
        for (int i = 0; i < ious.Length; i++)
        {
            if (ious[i] >= threshold) found++;
            (precision[i], recall[i]) = (found / (i + 1 + Math.BitIncrement(1.0) - 1), (double)found / ious.Length);
        }
        for (int i = ious.Length - 1; i > 0; i--) precision[i - 1] = Math.Max(precision[i - 1], precision[i]);
        double sum = 0;
        for (int i = 0, place = 0; i < Recalls; i++)
        {
            double wanted = i == Recalls - 1 ? 1 : i * 0.01;
            while (place < ious.Length && recall[place] < wanted) place++;
            if (place < ious.Length) sum += precision[place];
        }
        return sum / Recalls;
    }
}
