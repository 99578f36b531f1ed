using System.Text.Json;
using Lavt.Imaging;
using Lavt.Metrics;

namespace Lavt.Golden;

/// <summary>Checks the measures of masks: overlaps, J, F, and the summary over all pairs.</summary>
internal static class MeasureChecks
{
    private const double Bar = 1e-9;

    public static void Run(string path, string folder, GoldenReport report)
    {
        JsonElement root = JsonDocument.Parse(File.ReadAllBytes(path)).RootElement;
        SegmentationMeasures measures = new();
        foreach (JsonElement test in root.GetProperty("cases").EnumerateArray())
        {
            int number = test.GetProperty("case").GetInt32();
            Mask prediction = Mask.Load(Path.Combine(folder, $"prediction_{number}.png")), truth = Mask.Load(Path.Combine(folder, $"truth_{number}.png"));
            MaskOverlap overlap = measures.Add(prediction.Pixels, truth.Pixels);
            Check(report, $"intersection {number}", overlap.Intersection, test.GetProperty("intersection"));
            Check(report, $"union {number}", overlap.Union, test.GetProperty("union"));
            Check(report, $"J {number}", overlap.J, test.GetProperty("J"));
            Check(report, $"F {number}", BoundaryMeasure.F(prediction, truth), test.GetProperty("F"));
        }
        if (!root.TryGetProperty("summary", out JsonElement summary)) return;
        Check(report, "mean IoU", measures.MeanIou, summary.GetProperty("mean_iou"));
        Check(report, "overall IoU", measures.OverallIou, summary.GetProperty("overall_iou"));
        for (int i = 0; i < SegmentationMeasures.Thresholds.Count; i++)
        {
            string threshold = SegmentationMeasures.Thresholds[i].ToString("0.0", System.Globalization.CultureInfo.InvariantCulture);
            Check(report, $"precision@{threshold}", measures.Precision(i), summary.GetProperty("precision").GetProperty(threshold));
        }
    }

    private static void Check(GoldenReport report, string item, double actual, JsonElement expected) =>
        report.Check("data/measures", item, Math.Abs(actual - expected.GetDouble()) <= Bar * Math.Max(1, Math.Abs(expected.GetDouble())), $"{actual}, expected {expected}");
}
