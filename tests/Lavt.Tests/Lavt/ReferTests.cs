using System.Text;
using Lavt.Data;
using Lavt.Imaging;
using Lavt.Nn.Weights;
using Lavt.Text;
using Xunit;

namespace Lavt.Tests.Data;

public class ReferTests
{
    private static readonly BertTokenizer s_tokenizer = BertTokenizer.Load(DataGolden.Path("tokenizer"));

    internal static string Root => DataGolden.Path("refer");

    [Theory]
    [InlineData("refcoco", "unc")]
    [InlineData("refcoco+", "unc")]
    [InlineData("refcocog", "umd")]
    public void Every_protocol_gives_the_same_samples(string dataset, string splitBy)
    {
        ReferData data = ReferData.Load(Root, dataset, splitBy);
        Assert.Equal(15, data.Samples.Count);
        ReferSample sample = data.Samples[4];
        Assert.Equal((4L, 112L, 2L, "train"), (sample.RefId, sample.AnnotationId, sample.Image.Id, sample.Split));
        Assert.Equal((75, 64), (sample.Image.Rows, sample.Image.Columns));
        Assert.Equal([new ReferSentence(8, "green box"), new ReferSentence(9, "the green one on the right")], sample.Sentences);
        Assert.True(File.Exists(data.PicturePath(sample)));
    }

    [Theory]
    [InlineData("refcoco", "unc", "train", "0 1 2 3 4 5 6")]
    [InlineData("refcoco", "unc", "val", "7 8 9")]
    [InlineData("refcoco", "unc", "testA", "10 11")]
    [InlineData("refcoco", "unc", "testB", "12 13 14")]
    [InlineData("refcoco", "unc", "test", "10 11 12 13 14")]
    [InlineData("refcocog", "umd", "test", "10 11 12 13 14")]
    public void Splits_hold_what_the_refer_library_gives(string dataset, string splitBy, string split, string expected) =>
        Assert.Equal(expected, string.Join(' ', ReferData.Load(Root, dataset, splitBy).Split(split).Select(sample => sample.RefId)));

    [Fact]
    public void A_sample_is_the_picture_and_the_mask_at_the_asked_size()
    {
        ReferDataset dataset = new(ReferData.Load(Root, "refcoco", "unc"), "val", s_tokenizer, 48, 20);
        Picture picture = Resize.Bilinear(Picture.Load(dataset.Data.PicturePath(dataset[1])), 48, 48);
        float[] planes = new float[3 * 48 * 48];
        byte[] mask = new byte[48 * 48];
        Mask truth = new();
        new SampleReader().Read(dataset, 1, planes, mask, truth);
        for (int i = 0; i < 48 * 48; i++)
        {
            Assert.Equal((picture.Pixels[3 * i] / 255.0 - 0.485) / 0.229, planes[i], 1e-6);
            Assert.Equal((picture.Pixels[3 * i + 1] / 255.0 - 0.456) / 0.224, planes[48 * 48 + i], 1e-6);
            Assert.Equal((picture.Pixels[3 * i + 2] / 255.0 - 0.406) / 0.225, planes[2 * 48 * 48 + i], 1e-6);
        }
        Assert.Equal((50, 90), (truth.Rows, truth.Columns));
        Assert.InRange(truth.Area(), 1, 50 * 90 - 1);
        Assert.Equal(Resize.Nearest(truth, 48, 48).Pixels.ToArray(), mask);
    }

    [Fact]
    public void Plans_hold_every_sample_once_and_depend_on_seed_and_epoch()
    {
        ReferDataset dataset = new(ReferData.Load(Root, "refcoco", "unc"), "train", s_tokenizer, 32, 20);
        SampleChoice[] plan = dataset.TrainingPlan(5, 3);
        Assert.Equal(Enumerable.Range(0, 7), plan.Select(choice => choice.Sample).Order());
        Assert.Equal(plan, dataset.TrainingPlan(5, 3));
        Assert.NotEqual(plan, dataset.TrainingPlan(6, 3));
        Assert.NotEqual(plan, dataset.TrainingPlan(5, 4));
        Assert.Equal(14, dataset.EvaluationPlan().Length);
        Assert.Equal(14, dataset.SentenceCount);
        int[] sentences = [.. Enumerable.Range(0, 40).SelectMany(epoch => dataset.TrainingPlan(1, epoch)).Select(choice => choice.Sentence)];
        Assert.InRange(sentences.Sum(), 100, 180);
    }

    [Theory]
    [InlineData("refclef2", "unc", "refcoco, refcoco+, refcocog")]
    [InlineData("refcoco", "umd", "the folder has refs(unc).p")]
    public void Wrong_names_are_answered_with_the_right_ones(string dataset, string splitBy, string answer) =>
        Assert.Contains(answer, Assert.Throws<DataException>(() => ReferData.Load(Root, dataset, splitBy)).Message);

    [Fact]
    public void Wrong_splits_are_answered_with_the_right_ones()
    {
        ReferData data = ReferData.Load(Root, "refcocog", "umd");
        Assert.Contains("'validation'", Assert.Throws<DataException>(() => data.Split("validation")).Message);
        Assert.Contains("test, train, val", Assert.Throws<DataException>(() => data.Split("testA")).Message);
    }

    [Fact]
    public void A_reference_without_its_annotation_names_both_and_the_file()
    {
        using DataGolden.TemporaryFolder root = DamagedSet("\"id\": 131, \"image_id\"", "\"id\": 999, \"image_id\"");
        string message = Assert.Throws<DataException>(() => ReferData.Load(root.Folder, "refcoco", "unc")).Message;
        Assert.Contains("refs(unc).p: ref 8, ann 131, image 4: annotation 131 is not in", message);
        Assert.Contains("instances.json", message);
    }

    [Fact]
    public void A_reference_without_its_picture_names_both_and_the_file()
    {
        using DataGolden.TemporaryFolder root = DamagedSet("{\"id\": 5, \"file_name\"", "{\"id\": 55, \"file_name\"");
        Assert.Contains("ref 10, ann 140, image 5: image 5 is not in", Assert.Throws<DataException>(() => ReferData.Load(root.Folder, "refcoco", "unc")).Message);
    }

    [Fact]
    public void Damaged_instances_name_the_byte()
    {
        using DataGolden.TemporaryFolder root = DamagedSet("\"annotations\": [", "\"annotations\": [}");
        string message = Assert.Throws<DataException>(() => ReferData.Load(root.Folder, "refcoco", "unc")).Message;
        Assert.Matches("instances.json: byte \\d+: not the JSON of a COCO data set", message);
    }

    [Theory]
    [InlineData("", "the file has 0 bytes")]
    [InlineData("[]", "no object at the top")]
    [InlineData("{\"images\": 3}", "lists")]
    [InlineData("{\"images\": [{\"id\": \"x\"}]}", "not the JSON")]
    [InlineData("{\"annotations\": [{\"id\": 1", "not the JSON")]
    public void Instances_of_another_kind_are_refused(string text, string problem)
    {
        using DataGolden.TemporaryFolder root = DamagedSet("", "");
        File.WriteAllText(Path.Combine(root.Folder, "refcoco", "instances.json"), text);
        Assert.Contains(problem, Assert.Throws<DataException>(() => ReferData.Load(root.Folder, "refcoco", "unc")).Message);
    }

    [Fact]
    public void A_foreign_name_in_the_pickle_is_refused()
    {
        using DataGolden.TemporaryFolder root = DamagedSet("", "");
        string path = Path.Combine(root.Folder, "refcoco", "refs(unc).p");
        File.WriteAllBytes(path, Encoding.ASCII.GetBytes("cos\nsystem\n(S'echo'\ntR."));
        string message = Assert.Throws<PickleException>(() => ReferData.Load(root.Folder, "refcoco", "unc")).Message;
        Assert.Contains(path, message);
        Assert.Contains("os.system", message);
    }

    [Theory]
    [InlineData("{\"counts\": [0, 4], \"size\": [2, 2]}", 4)]
    [InlineData("{\"counts\": \"04\", \"size\": [2, 2]}", 4)]
    [InlineData("{\"size\": [2, 2], \"counts\": [1, 1, 2]}", 1)]
    [InlineData("[[0, 0, 2, 2]]", 4)]
    public void Outlines_come_in_every_form_of_COCO(string json, int area)
    {
        System.Text.Json.Utf8JsonReader reader = new(Encoding.UTF8.GetBytes(json));
        reader.Read();
        Mask mask = new();
        SegmentationReader.Read(ref reader).Rasterize(2, 2, mask);
        Assert.Equal(area, mask.Area());
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("[3]")]
    [InlineData("\"04\"")]
    [InlineData("{\"counts\": [0, 4]}")]
    [InlineData("{\"counts\": [-1, 4], \"size\": [2, 2]}")]
    [InlineData("{\"counts\": [0, 5], \"size\": [2, 2]}")]
    public void Broken_outlines_are_format_errors(string json)
    {
        Assert.Throws<FormatException>(() =>
        {
            System.Text.Json.Utf8JsonReader reader = new(Encoding.UTF8.GetBytes(json));
            reader.Read();
            SegmentationReader.Read(ref reader);
        });
    }

    /// <summary>A copy of the golden data set with one text of its instances.json replaced.</summary>
    internal static DataGolden.TemporaryFolder DamagedSet(string text, string replacement)
    {
        DataGolden.TemporaryFolder folder = DataGolden.NewFolder();
        foreach (string file in Directory.GetFiles(Root, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(folder.Folder, Path.GetRelativePath(Root, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
        if (text.Length == 0) return folder;
        string instances = Path.Combine(folder.Folder, "refcoco", "instances.json");
        string before = File.ReadAllText(instances), after = before.Replace(text, replacement, StringComparison.Ordinal);
        Assert.NotEqual(before, after);
        File.WriteAllText(instances, after);
        return folder;
    }
}
