using Lavt.Data;
using Lavt.Demo;
using Lavt.Evaluation;
using Lavt.Imaging;
using Lavt.Tests.Data;
using Lavt.Text;
using Xunit;

namespace Lavt.Tests.Demo;

public class DemoScenesTests(DemoScenesTests.MadeSet made) : IClassFixture<DemoScenesTests.MadeSet>
{
    private static readonly DemoOptions s_options = new() { PictureSize = 96, TrainPictures = 30, ValPictures = 5, TestAPictures = 4, TestBPictures = 6, Seed = 3 };
    private readonly string _folder = made.Folder;

    [Fact]
    public void The_verifier_finds_nothing_wrong()
    {
        List<DataProblem> problems = [];
        DataReport report = new DataVerifier(_folder, "refcoco", "unc") { Tokenizer = BertTokenizer.Load(_folder), Found = problems.Add }.Run();
        Assert.Empty(problems);
        Assert.Equal((45, 0), (report.Pictures, report.CutOffSentences));
        Assert.Equal(["train", "val", "testA", "testB"], report.Splits.Select(split => split.Split));
        Assert.Equal(24, report.Splits[3].Samples);
    }

    [Fact]
    public void The_vocabulary_covers_every_word()
    {
        BertTokenizer tokenizer = BertTokenizer.Load(_folder);
        foreach (ReferSentence sentence in Data().Samples.SelectMany(sample => sample.Sentences))
        {
            Tokens tokens = tokenizer.Encode(sentence.Raw, 20);
            Assert.Equal(sentence.Raw.Split(' ').Length + 2, tokens.Count);
            Assert.DoesNotContain(tokenizer.UnknownId, tokens.Ids);
        }
    }

    [Fact]
    public void The_same_seed_gives_the_same_files_and_another_one_others()
    {
        using DataGolden.TemporaryFolder again = DataGolden.NewFolder(), other = DataGolden.NewFolder();
        DemoScenes.Make(again.Folder, s_options);
        DemoScenes.Make(other.Folder, s_options with { Seed = 4 });
        string[] files = [.. Directory.GetFiles(_folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(_folder, file))];
        Assert.Equal(48, files.Length);
        Assert.All(files, file => Assert.Equal(Bytes(_folder, file), Bytes(again.Folder, file)));
        Assert.NotEqual(Bytes(_folder, files.First(file => file.EndsWith("000000000001.jpg", StringComparison.Ordinal))), Bytes(other.Folder, files.First(file => file.EndsWith("000000000001.jpg", StringComparison.Ordinal))));
    }

    [Fact]
    public void Masks_lie_on_the_drawn_objects()
    {
        ReferData data = Data();
        foreach (ReferSample sample in data.Samples.Take(30))
        {
            Picture picture = Picture.Load(data.PicturePath(sample));
            Mask mask = new();
            sample.Segmentation.Rasterize(picture.Rows, picture.Columns, mask);
            Assert.InRange(mask.Area(), 60, picture.Rows * picture.Columns / 6);
            double[] inside = Mean(picture, mask);
            // The ground is grey, the objects are not.
            Assert.True(inside.Max() - inside.Min() > 60, $"{sample.Place}: {string.Join(' ', inside)}");
        }
    }

    [Fact]
    public void Every_sentence_means_one_object_of_its_scene()
    {
        RandomSequence random = new(8, 0);
        SceneMaker maker = new(random, 0.5);
        int withPlace = 0, withSize = 0;
        for (int trial = 0; trial < 60; trial++)
        {
            List<SceneObject> scene = maker.Make(2 + trial % 3);
            Assert.True(scene.Select(item => (item.Color, item.Shape)).Distinct().Count() > 1);
            foreach (SceneObject item in scene)
            {
                foreach (SceneSentence sentence in SceneDescriber.Describe(scene, item))
                {
                    Assert.Same(item, Assert.Single(scene, other => SceneDescriber.CouldMean(sentence, other)));
                    if (sentence.Place is not null) withPlace++;
                    if (sentence.Size is not null) withSize++;
                }
            }
        }
        Assert.True(withPlace > 100 && withSize > 100);
    }

    [Theory]
    [InlineData(SceneSize.Small, SceneColor.Red, SceneShape.Circle, null, "the small red circle")]
    [InlineData(null, SceneColor.Blue, SceneShape.Square, ScenePlace.Left, "the blue square on the left")]
    [InlineData(null, null, SceneShape.Triangle, ScenePlace.Top, "the triangle at the top")]
    [InlineData(null, SceneColor.Green, null, null, "the green one")]
    internal void Sentences_read_well(SceneSize? size, SceneColor? color, SceneShape? shape, ScenePlace? place, string text) =>
        Assert.Equal(text, new SceneSentence(size, color, shape, place).ToString());

    [Fact]
    public void Swapped_sentences_mean_another_object_of_the_same_picture()
    {
        ReferDataset dataset = new(Data(), "train", BertTokenizer.Load(_folder), 32, 20);
        SampleChoice[] plan = dataset.EvaluationPlan(), swapped = [.. plan.Select(new SentenceSwap(dataset).Swapped)];
        Assert.Equal(plan.Length, swapped.Length);
        for (int i = 0; i < plan.Length; i++)
        {
            Assert.NotEqual(plan[i].Sample, swapped[i].Sample);
            Assert.Equal(dataset[plan[i].Sample].Image, dataset[swapped[i].Sample].Image);
            Assert.InRange(swapped[i].Sentence, 0, dataset.Sentences(swapped[i].Sample).Count - 1);
        }
    }

    [Fact]
    public void Sizes_out_of_range_are_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => DemoScenes.Make(_folder, s_options with { PictureSize = 20 }));

    private static double[] Mean(Picture picture, Mask mask)
    {
        double[] sums = new double[3];
        for (int i = 0; i < mask.Pixels.Length; i++)
        {
            for (int channel = 0; channel < 3; channel++) sums[channel] += mask.Pixels[i] * picture.Pixels[3 * i + channel];
        }
        return [.. sums.Select(sum => sum / mask.Area())];
    }

    private static byte[] Bytes(string folder, string file) => File.ReadAllBytes(Path.Combine(folder, file));

    private ReferData Data() => ReferData.Load(_folder, "refcoco", "unc");

    /// <summary>The data set that all tests read.</summary>
    public sealed class MadeSet : IDisposable
    {
        private readonly DataGolden.TemporaryFolder _temporary = DataGolden.NewFolder();

        public MadeSet() => DemoScenes.Make(Folder, s_options);

        public string Folder => _temporary.Folder;

        public void Dispose() => _temporary.Dispose();
    }
}
