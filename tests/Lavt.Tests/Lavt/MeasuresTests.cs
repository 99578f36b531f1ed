using System.Text.Json;
using Lavt.Imaging;
using Lavt.Metrics;
using Lavt.Tests.Data;
using Xunit;

namespace Lavt.Tests.Metrics;

public class MeasuresTests
{
    private static readonly JsonElement s_golden = DataGolden.Json("measures", "cases.json");

    public static TheoryData<int> Cases => [.. s_golden.GetProperty("cases").EnumerateArray().Select(c => c.Int("case"))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Overlap_J_and_F_equal_those_of_the_reference(int number)
    {
        JsonElement test = s_golden.GetProperty("cases")[number];
        (Mask prediction, Mask truth) = Load(number);
        MaskOverlap overlap = MaskOverlap.Of(prediction.Pixels, truth.Pixels);
        Assert.Equal((test.Int("intersection"), test.Int("union")), (overlap.Intersection, overlap.Union));
        Assert.Equal(test.GetProperty("J").GetDouble(), overlap.J, 12);
        Assert.Equal(test.GetProperty("F").GetDouble(), BoundaryMeasure.F(prediction, truth), 12);
    }

    [Fact]
    public void The_summary_equals_that_of_the_reference()
    {
        SegmentationMeasures measures = new();
        foreach (JsonElement test in s_golden.GetProperty("cases").EnumerateArray())
        {
            (Mask prediction, Mask truth) = Load(test.Int("case"));
            measures.Add(prediction.Pixels, truth.Pixels);
        }
        JsonElement summary = s_golden.GetProperty("summary");
        Assert.Equal(s_golden.GetProperty("cases").GetArrayLength(), measures.Count);
        Assert.Equal(summary.GetProperty("mean_iou").GetDouble(), measures.MeanIou, 10);
        Assert.Equal(summary.GetProperty("overall_iou").GetDouble(), measures.OverallIou, 10);
        for (int i = 0; i < SegmentationMeasures.Thresholds.Count; i++)
        {
            string name = SegmentationMeasures.Thresholds[i].ToString("0.0", System.Globalization.CultureInfo.InvariantCulture);
            Assert.Equal(summary.GetProperty("precision").GetProperty(name).GetDouble(), measures.Precision(i), 10);
        }
    }

    [Fact]
    public void A_bound_that_is_just_met_counts()
    {
        SegmentationMeasures measures = new();
        Assert.Equal(0.5, measures.Add([1, 1, 0], [255, 0, 0]).Iou);
        Assert.Equal(100, measures.Precision(0));
        Assert.Equal(0, measures.Precision(1));
    }

    [Fact]
    public void Nothing_and_empty_masks_give_zeros()
    {
        SegmentationMeasures measures = new();
        Assert.Equal((0, 0, 0), (measures.MeanIou, measures.OverallIou, measures.Precision(0)));
        Assert.Equal(0, measures.Add([0, 0], [0, 0]).Iou);
        Assert.Equal((0, 0, 0), (measures.MeanIou, measures.OverallIou, measures.Precision(0)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(33)]
    [InlineData(1000)]
    public void Wide_counting_equals_plain_counting(int length)
    {
        Random random = new(length);
        byte[] a = new byte[length], b = new byte[length];
        for (int i = 0; i < length; i++) (a[i], b[i]) = ((byte)(random.Next(3) * 127), (byte)random.Next(2));
        int intersection = 0, union = 0;
        for (int i = 0; i < length; i++)
        {
            if (a[i] != 0 && b[i] != 0) intersection++;
            if (a[i] != 0 || b[i] != 0) union++;
        }
        Assert.Equal(new MaskOverlap(intersection, union), MaskOverlap.Of(a, b));
    }

    [Fact]
    public void Masks_of_different_sizes_are_refused()
    {
        Assert.Throws<ArgumentException>(() => MaskOverlap.Of(new byte[3], new byte[4]));
        Assert.Throws<ArgumentException>(() => BoundaryMeasure.F(new Mask(2, 3), new Mask(3, 2)));
    }

    private static (Mask Prediction, Mask Truth) Load(int number) =>
        (Mask.Load(DataGolden.Path("measures", $"prediction_{number}.png")), Mask.Load(DataGolden.Path("measures", $"truth_{number}.png")));
}
