using System.Security.Cryptography;
using System.Text.Json;
using Lavt.Data;
using Lavt.Imaging;
using Xunit;

namespace Lavt.Tests.Data;

public class PolygonTests
{
    public static TheoryData<int> Cases => [.. Enumerable.Range(0, DataGolden.Json("polygons.json").GetProperty("cases").GetArrayLength())];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Masks_equal_those_of_COCO_and_of_the_reference(int number)
    {
        JsonElement test = DataGolden.Json("polygons.json").GetProperty("cases")[number];
        int rows = test.Int("height"), columns = test.Int("width");
        foreach ((JsonElement polygon, JsonElement counts, JsonElement text) in RleTests.Lists(test, "polygons", "counts", "compressed"))
        {
            Rle rle = PolygonRasterizer.Rasterize(Numbers(polygon), rows, columns);
            Assert.Equal(counts.EnumerateArray().Select(c => c.GetUInt32()), rle.Counts.ToArray());
            Assert.Equal(text.GetString(), rle.ToString());
        }
        Segmentation segmentation = Segmentation.FromPolygons([.. test.GetProperty("polygons").EnumerateArray().Select(Numbers)]);
        Mask mask = new();
        segmentation.Rasterize(rows, columns, mask);
        Assert.Equal(test.Int("refer_mask_area"), mask.Area());
        Assert.Equal(test.GetProperty("refer_mask_sha256").GetString(), Convert.ToHexStringLower(SHA256.HashData(mask.Pixels)));
    }

    // Computed with the toolbox itself.
    [Theory]
    [InlineData("0,0,0,9,9,9,9,0", "091000000000000000:", 81)]
    [InlineData("2.5,2.5,7.5,2.5,7.5,7.5,2.5,7.5", "Q1550000000a0", 25)]
    [InlineData("1.3,1.2,8.7,3.4,4.1,8.9", "e0382M2NN3N1O1O8", 26)]
    public void Small_polygons_equal_those_of_COCO(string corners, string compressed, int area)
    {
        Rle rle = PolygonRasterizer.Rasterize([.. corners.Split(',').Select(double.Parse)], 10, 10);
        Assert.Equal(compressed, rle.ToString());
        Assert.Equal(area, rle.Area());
    }

    [Theory]
    [InlineData(new double[] { }, "pairs")]
    [InlineData(new double[] { 1, 2, 3 }, "pairs")]
    [InlineData(new double[] { 1, double.NaN, 3, 4, 5, 6 }, "NaN")]
    [InlineData(new double[] { 1, 2, 3, 4, 5, 1e9 }, "limit")]
    public void Broken_polygons_are_refused(double[] corners, string problem) =>
        Assert.Contains(problem, Assert.Throws<FormatException>(() => PolygonRasterizer.Rasterize(corners, 10, 10)).Message);

    [Fact]
    public void Random_polygons_never_leave_the_picture()
    {
        Random random = new(5);
        for (int trial = 0; trial < 2000; trial++)
        {
            int rows = random.Next(1, 20), columns = random.Next(1, 20);
            double[] corners = new double[2 * random.Next(1, 9)];
            for (int i = 0; i < corners.Length; i++) corners[i] = random.NextDouble() * 60 - 20;
            Rle rle = PolygonRasterizer.Rasterize(corners, rows, columns);
            Assert.InRange(rle.Area(), 0, rows * columns);
            Assert.Equal(rle.Area(), rle.Decode().Area());
        }
    }

    private static double[] Numbers(JsonElement polygon) => [.. polygon.EnumerateArray().Select(n => n.GetDouble())];
}
