using System.IO.Compression;
using Lavt.Data.Clips;
using Lavt.Evaluation;
using Lavt.Imaging;
using Lavt.Scoring;
using Lavt.Tests.Data;
using Xunit;

namespace Lavt.Tests.Clips;

public sealed class ClipWriterTests : IDisposable
{
    private readonly DataGolden.TemporaryFolder _folder = DataGolden.NewFolder();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Masks_of_videos_lie_where_the_competition_wants_them()
    {
        VideoMaskFolder masks = Written("one");
        Mask mask = Mask.Load(Path.Combine(_folder.Folder, "one", "Annotations", "b", "0", "00005.png"));
        Assert.Equal([255, 0, 0, 0, 0, 0], mask.Pixels.ToArray());
        string zip = Path.Combine(_folder.Folder, "results", "submission.zip");
        masks.SaveZip(zip);
        using ZipArchive archive = ZipFile.OpenRead(zip);
        Assert.Equal(["Annotations/a/1/00000.png", "Annotations/b/0/00000.png", "Annotations/b/0/00005.png"], archive.Entries.Select(entry => entry.FullName));
        using Stream entry = archive.Entries[2].Open();
        MemoryStream bytes = new();
        entry.CopyTo(bytes);
        Assert.Equal(File.ReadAllBytes(masks.FileOf("b", "0", "00005")), bytes.ToArray());
    }

    [Fact]
    public void The_same_masks_give_the_same_zip()
    {
        string first = Path.Combine(_folder.Folder, "first.zip"), second = Path.Combine(_folder.Folder, "second.zip");
        Written("one").SaveZip(first);
        foreach (string file in Directory.GetFiles(Path.Combine(_folder.Folder, "one"), "*.png", SearchOption.AllDirectories))
            File.SetLastWriteTimeUtc(file, new DateTime(2001, 2, 3, 0, 0, 0, DateTimeKind.Utc));
        Written("two").SaveZip(second);
        Assert.Equal(File.ReadAllBytes(first), File.ReadAllBytes(second));
    }

    [Fact]
    public void Half_of_a_colour_lies_on_the_mask()
    {
        Picture picture = new(1, 2);
        picture.Pixels.Fill(101);
        Mask mask = new(1, 2);
        mask.Pixels[1] = 1;
        // The second colour of the palette is a dark green.
        Assert.Equal([101, 101, 101, 50, 114, 50], Overlay.Tinted(picture, mask, 1).Pixels.ToArray());
        Assert.Throws<ArgumentException>(() => Overlay.Tinted(picture, new Mask(2, 2), 1));
        VideoMaskFolder masks = new(_folder.Folder);
        masks.AddPicture("v", 1, "00000", picture, mask);
        Assert.Equal(114, Picture.Load(masks.PictureOf("v", 1, "00000")).Pixels[4]);
    }

    [Fact]
    public void The_palette_is_that_of_DAVIS()
    {
        Assert.Equal([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, 0, 0, 128], Palette.Bytes(5));
        Assert.Equal([224, 224, 192], Palette.Colour(255));
        Assert.Equal(256, Enumerable.Range(0, 256).Select(number => Convert.ToHexString(Palette.Colour(number))).Distinct().Count());
    }

    [Fact]
    public void Indices_survive_a_file()
    {
        Mask mask = new(3, 5), again;
        for (int i = 0; i < 15; i++) mask.Pixels[i] = (byte)(i * 17);
        string file = Path.Combine(_folder.Folder, "indices.png");
        mask.SaveIndices(file);
        again = Mask.Load(file);
        Assert.Equal(mask.Pixels.ToArray(), again.Pixels.ToArray());
        Assert.Equal(Palette.Colour(17), Picture.Load(file).Pixels.Slice(3, 3).ToArray());
    }

    [Fact]
    public void Written_masks_of_actors_score_full_marks()
    {
        string truth = Path.Combine(_folder.Folder, "truth"), results = Path.Combine(_folder.Folder, "results");
        ClipSets.WriteA2d(truth, "test", ("dog", "v", 1, 0), ("cat", "v", 1, 2));
        A2dData data = A2dData.Load(truth, "test");
        A2dMaskFolder folder = new(results);
        foreach (A2dSentence sentence in data.Sentences)
        {
            Mask mask = new();
            Lavt.Data.A2dMask.Read(data.MaskPath(sentence.Video, sentence.Frame), sentence.Instance, "", mask);
            folder.Add(sentence, mask, 0.7);
        }
        folder.Finish();
        A2dScores scores = A2dScorer.Score(results, data);
        Assert.Equal((100, 100, true), (scores.Scores.MeanIou, scores.MeanAveragePrecision, scores.HasConfidences));
        Assert.Equal([0.7, 0.7], scores.Results.Select(result => result.Score));
        Assert.Empty(scores.Surplus);
    }

    private VideoMaskFolder Written(string name)
    {
        VideoMaskFolder masks = new(Path.Combine(_folder.Folder, name));
        Mask mask = new(2, 3);
        mask.Pixels[0] = 1;
        masks.Add("b", "0", "00000", mask);
        masks.Add("b", "0", "00005", mask);
        masks.Add("a", "1", "00000", mask);
        return masks;
    }
}
