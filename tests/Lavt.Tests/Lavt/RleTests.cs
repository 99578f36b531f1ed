using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Lavt.Data;
using Lavt.Imaging;
using Xunit;

namespace Lavt.Tests.Data;

public class RleTests
{
    [Fact]
    public void Compressed_strings_equal_those_of_COCO()
    {
        foreach (JsonElement test in DataGolden.Json("polygons.json").GetProperty("cases").EnumerateArray())
        {
            foreach ((JsonElement counts, JsonElement text, JsonElement area) in Lists(test, "counts", "compressed", "area"))
            {
                Rle rle = Rle.FromCounts([.. counts.EnumerateArray().Select(c => c.GetUInt32())], test.Int("height"), test.Int("width"));
                Assert.Equal(text.GetString(), rle.ToString());
                Assert.Equal(rle.Counts, Rle.Parse(text.GetString(), rle.Rows, rle.Columns).Counts);
                Assert.Equal(area.GetInt64(), rle.Area());
                Assert.Equal(area.GetInt64(), rle.Decode().Area());
            }
        }
    }

    [Fact]
    public void Masks_survive_both_encodings()
    {
        Prop.ForAll(MaskOf().ToArbitrary(), mask =>
        {
            Rle rle = Rle.FromCounts([.. Runs(mask)], mask.Rows, mask.Columns);
            Rle again = Rle.Parse(rle.ToString(), mask.Rows, mask.Columns);
            return again.Counts.SequenceEqual(rle.Counts) && again.Decode().Pixels.SequenceEqual(mask.Pixels) && rle.Area() == mask.Area();
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    [Fact]
    public void Any_text_gives_a_mask_or_a_format_error()
    {
        Prop.ForAll<string?>(text =>
        {
            try
            {
                return Rle.Parse(text, 40, 50).Area() <= 2000;
            }
            catch (FormatException)
            {
                return true;
            }
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Theory]
    [InlineData("`", "ends within a number")]
    [InlineData("1 1", "the character ' '")]
    [InlineData("11O", "a length of -1")]
    [InlineData("o", "ends within a number")]
    [InlineData("mm0", "add up to")]
    public void Damaged_strings_are_refused(string text, string problem) =>
        Assert.Contains(problem, Assert.Throws<FormatException>(() => Rle.Parse(text, 3, 3)).Message);

    [Fact]
    public void Masks_of_another_size_do_not_add_up() =>
        Assert.Throws<ArgumentException>(() => Rle.FromCounts([2, 2], 2, 2).AddTo(new Mask(3, 3)));

    internal static IEnumerable<(JsonElement First, JsonElement Second, JsonElement Third)> Lists(JsonElement test, string first, string second, string third) =>
        test.GetProperty(first).EnumerateArray().Zip(test.GetProperty(second).EnumerateArray(), test.GetProperty(third).EnumerateArray());

    /// <summary>The lengths of the runs of zeros, ones, zeros, … down the columns.</summary>
    private static IEnumerable<uint> Runs(Mask mask)
    {
        (bool inside, uint run) = (false, 0);
        for (int i = 0; i < mask.Pixels.Length; i++, run++)
        {
            if (mask.Pixels[i % mask.Rows * mask.Columns + i / mask.Rows] != 0 == inside) continue;
            yield return run;
            (inside, run) = (!inside, 0);
        }
        yield return run;
    }

    private static Gen<Mask> MaskOf() =>
        from rows in Gen.Choose(0, 12)
        from columns in Gen.Choose(0, 12)
        from pixels in Gen.Choose(0, 1).ArrayOf(rows * columns)
        select MakeMask(rows, columns, pixels);

    private static Mask MakeMask(int rows, int columns, int[] pixels)
    {
        Mask mask = new(rows, columns);
        for (int i = 0; i < pixels.Length; i++) mask.Pixels[i] = (byte)pixels[i];
        return mask;
    }
}
