using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Demo;
using Lavt.Imaging;
using Lavt.Options;
using Lavt.Tests.Data;
using Lavt.Text;
using Xunit;

namespace Lavt.Tests.Clips;

public class DemoVideosTests(DemoVideosTests.MadeSet made) : IClassFixture<DemoVideosTests.MadeSet>
{
    private static readonly DemoVideoOptions s_options = new() { PictureSize = 64, Frames = 5, TrainVideos = 12, ValidVideos = 6, TestVideos = 2, Seed = 3 };
    private readonly string _folder = made.Folder;

    [Theory]
    [InlineData(DatasetKind.YouTubeVos)]
    [InlineData(DatasetKind.A2d)]
    public void The_verifiers_find_nothing_wrong(DatasetKind dataset)
    {
        if (dataset == DatasetKind.A2d) ClipSets.NeedHdf5();
        DataOptions options = new() { Dataset = dataset, YouTubeVosRoot = _folder, A2dRoot = Path.Combine(_folder, DemoVideos.A2dFolder), ImageSize = 32 };
        List<DataProblem> problems = [];
        DataReport report = Assert.Single(Verifiers.Of(options, BertTokenizer.Load(_folder), problems.Add, (_, _) => { })).Verifier.Run();
        Assert.Empty(problems);
        Assert.Equal(0, report.CutOffSentences);
        Assert.True(report.Samples >= 18);
    }

    [Fact]
    public void The_vocabulary_covers_every_word()
    {
        BertTokenizer tokenizer = BertTokenizer.Load(_folder);
        foreach (VideoExpression expression in YouTubeVosData.Load(_folder, "train").Videos.SelectMany(video => video.Expressions))
        {
            Tokens tokens = tokenizer.Encode(expression.Text, 22);
            Assert.Equal(expression.Text.Split(' ').Length + 2, tokens.Count);
            Assert.DoesNotContain(tokenizer.UnknownId, tokens.Ids);
        }
    }

    [Fact]
    public void Sentences_of_valid_speak_of_motion_where_two_objects_look_alike()
    {
        YouTubeVosData data = YouTubeVosData.Load(_folder, "valid");
        Assert.Equal(6, data.Videos.Count);
        foreach (VideoEntry video in data.Videos)
            Assert.Equal(2, video.Expressions.Count(expression => expression.Text.Contains("moving", StringComparison.Ordinal) || expression.Text.Contains("standing", StringComparison.Ordinal)));
    }

    [Fact]
    public void Objects_move_as_their_sentences_say()
    {
        YouTubeVosData data = YouTubeVosData.Load(_folder, "train");
        int seen = 0;
        foreach (VideoEntry video in data.Videos)
        {
            foreach (VideoExpression expression in video.Expressions)
            {
                (double fromX, double fromY, int fromArea) = Centre(data, video, 0, expression.Object!.Value);
                (double toX, double toY, int toArea) = Centre(data, video, video.Frames.Count - 1, expression.Object!.Value);
                Assert.InRange(toArea, 0.9 * fromArea, 1.1 * fromArea);
                double right = toX - fromX, down = toY - fromY;
                string motion = Math.Max(Math.Abs(right), Math.Abs(down)) < 10 ? "standing still"
                    : Math.Abs(right) > Math.Abs(down) ? right > 0 ? "moving right" : "moving left"
                    : down > 0 ? "moving down" : "moving up";
                if (!expression.Text.Contains("moving", StringComparison.Ordinal) && !expression.Text.Contains("standing", StringComparison.Ordinal)) continue;
                Assert.EndsWith(motion, expression.Text, StringComparison.Ordinal);
                seen++;
            }
        }
        Assert.True(seen > 10);
    }

    [Fact]
    public void Masks_lie_on_the_drawn_objects()
    {
        YouTubeVosData data = YouTubeVosData.Load(_folder, "train");
        VideoEntry video = data.Videos[0];
        foreach (string frame in video.Frames)
        {
            Picture picture = Picture.Load(data.FramePath(video.Name, frame));
            Mask indices = Mask.Load(data.MaskPath(video.Name, frame));
            for (int number = 1; number <= video.Expressions.Max(expression => expression.Object!.Value); number++)
            {
                double[] sums = new double[3];
                for (int i = 0; i < indices.Pixels.Length; i++)
                {
                    for (int channel = 0; channel < 3; channel++) sums[channel] += indices.Pixels[i] == number ? picture.Pixels[3 * i + channel] : 0;
                }
                // The ground is grey, the objects are not.
                Assert.True(sums.Max() - sums.Min() > 50 * indices.Pixels.Count((byte)number));
            }
        }
    }

    [Fact]
    public void Both_layouts_hold_the_same_masks()
    {
        ClipSets.NeedHdf5();
        A2dData actors = A2dData.Load(Path.Combine(_folder, DemoVideos.A2dFolder), "test");
        YouTubeVosData videos = YouTubeVosData.Load(_folder, "valid");
        Mask mask = new();
        foreach (A2dSentence sentence in actors.Sentences)
        {
            A2dMask.Read(actors.MaskPath(sentence.Video, sentence.Frame), sentence.Instance, "", mask);
            Mask indices = Mask.Load(videos.MaskPath(sentence.Video, videos.Videos.Single(video => video.Name == sentence.Video).Frames[sentence.Frame - 1]));
            indices.KeepOnly((byte)sentence.Instance);
            Assert.True(mask.Pixels.SequenceEqual(indices.Pixels));
        }
        Assert.Equal(videos.Videos.Sum(video => video.Expressions.Count), actors.Sentences.Count);
    }

    [Fact]
    public void The_same_seed_gives_the_same_files_and_another_one_others()
    {
        using DataGolden.TemporaryFolder again = DataGolden.NewFolder(), other = DataGolden.NewFolder();
        DemoVideoOptions few = s_options with { WithA2d = false };
        DemoVideos.Make(again.Folder, few);
        DemoVideos.Make(other.Folder, few with { Seed = 4 });
        string[] files = [.. Directory.GetFiles(again.Folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(again.Folder, file))];
        Assert.Equal(2 * 5 * 20 + 4, files.Length);
        Assert.All(files, file => Assert.Equal(File.ReadAllBytes(Path.Combine(_folder, file)), File.ReadAllBytes(Path.Combine(again.Folder, file))));
        string frame = Path.Combine("train", "JPEGImages", "train0000", "00000.jpg");
        Assert.NotEqual(File.ReadAllBytes(Path.Combine(_folder, frame)), File.ReadAllBytes(Path.Combine(other.Folder, frame)));
    }

    private static (double X, double Y, int Area) Centre(YouTubeVosData data, VideoEntry video, int frame, int number)
    {
        Mask indices = Mask.Load(data.MaskPath(video.Name, video.Frames[frame]));
        double x = 0, y = 0;
        int area = 0;
        for (int i = 0; i < indices.Pixels.Length; i++)
        {
            if (indices.Pixels[i] != number) continue;
            (x, y, area) = (x + i % indices.Columns, y + i / indices.Columns, area + 1);
        }
        return (x / area, y / area, area);
    }

    /// <summary>The data set that all tests read.</summary>
    public sealed class MadeSet : IDisposable
    {
        private readonly DataGolden.TemporaryFolder _temporary = DataGolden.NewFolder();

        public MadeSet() => DemoVideos.Make(Folder, s_options with { WithA2d = A2dMask.IsSupported });

        public string Folder => _temporary.Folder;

        public void Dispose() => _temporary.Dispose();
    }
}
