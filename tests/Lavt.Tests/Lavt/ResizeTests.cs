using System.Text.Json;
using Lavt.Imaging;
using Lavt.Tests.Data;
using Xunit;

namespace Lavt.Tests.Imaging;

public class ResizeTests
{
    public static TheoryData<int> Cases => [.. DataGolden.Json("resize", "cases.json").GetProperty("cases").EnumerateArray().Select(c => c.Int("case"))];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Bilinear_equals_Pillow_byte_for_byte(int number)
    {
        Picture source = Picture.Load(DataGolden.Path("resize", $"source_{number}.png"));
        Picture expected = Picture.Load(DataGolden.Path("resize", $"bilinear_{number}.png"));
        Picture actual = Resize.Bilinear(source, expected.Rows, expected.Columns);
        Assert.True(expected.Pixels.SequenceEqual(actual.Pixels));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Nearest_equals_Pillow_byte_for_byte(int number)
    {
        Mask source = Mask.Load(DataGolden.Path("resize", $"mask_{number}.png"));
        Mask expected = Mask.Load(DataGolden.Path("resize", $"nearest_{number}.png"));
        Mask actual = Resize.Nearest(source, expected.Rows, expected.Columns);
        Assert.True(expected.Pixels.SequenceEqual(actual.Pixels));
    }

    [Fact]
    public void The_cases_cover_what_they_should()
    {
        JsonElement cases = DataGolden.Json("resize", "cases.json").GetProperty("cases");
        Assert.Contains(cases.EnumerateArray(), c => c.Ints("source")[0] < c.Ints("target")[0]);
        Assert.Contains(cases.EnumerateArray(), c => c.Ints("source")[1] > 2 * c.Ints("target")[1]);
    }

    [Fact]
    public void A_resizer_that_is_used_again_gives_the_same()
    {
        BilinearResizer resizer = new();
        Random random = new(1);
        foreach ((int rows, int columns) in new[] { (9, 13), (50, 20), (9, 13), (3, 64), (40, 40) })
        {
            Picture from = new(rows, columns), into = new(24, 40);
            random.NextBytes(from.Pixels);
            resizer.Run(from, into);
            Assert.True(Resize.Bilinear(from, 24, 40).Pixels.SequenceEqual(into.Pixels));
        }
    }

    [Fact]
    public void The_same_size_is_a_copy()
    {
        Picture from = new(6, 5);
        new Random(2).NextBytes(from.Pixels);
        Assert.True(from.Pixels.SequenceEqual(Resize.Bilinear(from, 6, 5).Pixels));
    }
}
