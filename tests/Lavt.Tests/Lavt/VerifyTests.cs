using Lavt.Data;
using Lavt.Text;
using Xunit;

namespace Lavt.Tests.Data;

public class VerifyTests
{
    [Theory]
    [InlineData("refcoco", "unc")]
    [InlineData("refcocog", "umd")]
    public void A_good_data_set_has_no_errors(string dataset, string splitBy)
    {
        (DataReport report, List<DataProblem> problems) = Verify(ReferTests.Root, dataset, splitBy, 2);
        Assert.DoesNotContain(problems, problem => !problem.IsWarning);
        Assert.Equal((15, 6, 30, 0), (report.Samples, report.Pictures, report.Sentences, report.Errors));
        Assert.Equal(("train", 7), report.Splits[0]);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Every_damage_is_listed_with_its_place(int threads)
    {
        // Annotation 131 is gone, that of reference 3 has an odd polygon and that of reference 5 lies outside its picture.
        using DataGolden.TemporaryFolder root = ReferTests.DamagedSet("\"id\": 131, \"image_id\"", "\"id\": 999, \"image_id\"");
        Edit(root, "[[26.0, 26.0, 42.0, 26.0, ", "[[26.0, 42.0, 26.0, ");
        ReferData data = ReferData.Load(root.Folder, "refcoco", "unc", _ => { });
        ReferSample emptied = data.Samples.Single(sample => sample.RefId == 5);
        string corners = string.Join(", ", emptied.Segmentation.Polygons[0].Select(v => v.ToString("0.0", System.Globalization.CultureInfo.InvariantCulture)));
        Edit(root, corners, "-9.0, -9.0, -8.0, -9.0, -8.0, -8.0");
        byte[] picture = File.ReadAllBytes(data.PicturePath(data.Samples[0]));
        File.WriteAllBytes(data.PicturePath(data.Samples[0]), picture[..(picture.Length / 2)]);
        File.Delete(data.PicturePath(data.Split("testB")[0]));
        File.Copy(data.PicturePath(data.Split("val")[0]), data.PicturePath(data.Split("testA")[0]), overwrite: true);

        (DataReport report, List<DataProblem> problems) = Verify(root.Folder, "refcoco", "unc", threads);
        string[] expected =
        [
            "refs(unc).p: ref 8, ann 131, image 4: annotation 131 is not in",
            "000000000001.jpg: image 1 of ref 0, 1: the picture is cut off",
            "instances.json: ref 3, ann 111, image 2: a polygon has pairs of coordinates, got 7 numbers",
            "instances.json: ref 5, ann 120, image 3: the mask covers no pixel",
            "000000000005.jpg: image 5 of ref 10, 11: the picture has 50 x 90 pixels",
            "000000000006.jpg: image 6 of ref 12, 13, 14: there is no such file",
        ];
        string[] texts = [.. problems.Select(problem => problem.ToString()).Where(text => !text.Contains("sentence", StringComparison.Ordinal))];
        Assert.Equal(expected.Length, texts.Length);
        foreach ((string part, string text) in expected.Zip(texts)) Assert.Contains(part, text);
        Assert.Equal((14, 4), (report.Samples, report.Errors));
    }

    [Fact]
    public void A_missing_data_set_is_one_problem()
    {
        using DataGolden.TemporaryFolder root = DataGolden.NewFolder();
        (DataReport report, List<DataProblem> problems) = Verify(root.Folder, "refcoco", "unc", 1);
        Assert.Contains("no such folder", Assert.Single(problems).Text);
        Assert.Equal((0, 1), (report.Samples, report.Errors));
    }

    [Fact]
    public void Sentences_outside_the_vocabulary_and_long_ones_are_counted()
    {
        using DataGolden.TemporaryFolder folder = DataGolden.NewFolder();
        string file = folder.File("vocab.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nred\nblue\ngreen\none\non\nleft\n"u8.ToArray());
        List<DataProblem> problems = [];
        DataReport report = new DataVerifier(ReferTests.Root, "refcoco", "unc")
        {
            Tokenizer = BertTokenizer.Load(file),
            MaxTokens = 5,
            Found = problems.Add,
        }.Run();
        Assert.Equal(15, report.CutOffSentences);
        Assert.Equal(0, report.Warnings);
        report = new DataVerifier(ReferTests.Root, "refcoco", "unc")
        {
            Tokenizer = BertTokenizer.Load(folder.File("few.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\n"u8.ToArray())),
            Found = problems.Add,
        }.Run();
        Assert.Equal(15, report.Warnings);
        Assert.Contains("no word of 'red box' is in the vocabulary", problems[0].ToString());
    }

    private static (DataReport Report, List<DataProblem> Problems) Verify(string root, string dataset, string splitBy, int threads)
    {
        List<DataProblem> problems = [];
        int done = 0;
        DataReport report = new DataVerifier(root, dataset, splitBy)
        {
            Tokenizer = BertTokenizer.Load(DataGolden.Path("tokenizer")),
            Threads = threads,
            Found = problems.Add,
            Progress = (count, _) => done = count,
        }.Run();
        Assert.Equal(report.Pictures, done);
        return (report, problems);
    }

    private static void Edit(DataGolden.TemporaryFolder root, string text, string replacement)
    {
        string path = Path.Combine(root.Folder, "refcoco", "instances.json");
        string before = File.ReadAllText(path), after = before.Replace(text, replacement, StringComparison.Ordinal);
        Assert.NotEqual(before, after);
        File.WriteAllText(path, after);
    }
}
