using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Options;
using Lavt.Tests.Data;
using Xunit;

namespace Lavt.Tests.Clips;

public sealed class ClipVerifyTests : IDisposable
{
    private readonly DataGolden.TemporaryFolder _folder = DataGolden.NewFolder();

    public void Dispose() => _folder.Dispose();

    private string Root => _folder.Folder;

    [Fact]
    public void A_good_set_of_videos_has_no_problems()
    {
        WriteVideos();
        (DataReport report, List<DataProblem> problems) = Verify(DatasetKind.YouTubeVos);
        Assert.Empty(problems);
        Assert.Equal((2, 12, 3), (report.Samples, report.Pictures, report.Sentences));
        Assert.Equal([("train", 1), ("valid", 1)], report.Splits);
    }

    [Fact]
    public void Every_damage_of_videos_is_listed_with_its_place()
    {
        WriteVideos();
        ClipSets.WriteExpressions(Root, "train", true, ("a", 9, [1, 3]));
        File.Delete(Frame("train", "00010"));
        File.WriteAllBytes(Frame("valid", "00000"), File.ReadAllBytes(Frame("valid", "00000"))[..^20]);
        string mask = Path.Combine(Root, "train", "Annotations", "a", "00020.png");
        new Lavt.Imaging.Mask(3, 3).SavePng(mask);
        (DataReport report, List<DataProblem> problems) = Verify(DatasetKind.YouTubeVos);
        string[] expected =
        [
            $"{Frame("train", "00010")}: video a: there is no such file",
            $"{mask}: video a: the mask has 3 x 3 pixels, the frame 30 x 40",
            "video a, expression 1: object 3 is in no mask",
            $"{Frame("valid", "00000")}: video a: the picture is cut off",
        ];
        Assert.Equal(expected.Length, problems.Count);
        foreach ((string text, DataProblem problem) in expected.Zip(problems)) Assert.Contains(text, problem.ToString());
        Assert.Equal((3, 1), (report.Errors, report.Warnings));
    }

    [Fact]
    public void Every_damage_of_actors_is_listed_with_its_place()
    {
        ClipSets.WriteA2d(Root, "train", ("dog", "v", 1, 0), ("cat", "v", 2, 7));
        ClipSets.WriteA2d(Root, "test", ("cow", "v", 9, 2), ("dog", "w", 1, 2), ("pig", "v", 3, 2));
        ClipSets.EmptyMask(Root, "v", 3, 2);
        ClipSets.AddFrames(Root, "v", 4);
        (DataReport report, List<DataProblem> problems) = Verify(DatasetKind.A2d);
        string[] expected =
        [
            "video v, frame 2, instance 7: there is no actor 7", "video v, frame 9, instance 2: the clip has only 4 frames",
            "w.mp4: video w, frame 1, instance 2: there is no such file", "video v, frame 3, instance 2: the mask covers no pixel",
        ];
        Assert.Equal(expected.Length, problems.Count);
        foreach ((string text, DataProblem problem) in expected.Zip(problems)) Assert.Contains(text, problem.ToString());
        Assert.Equal((5, 4), (report.Samples, report.Errors));
    }

    [Theory]
    [InlineData(DatasetKind.YouTubeVos, "meta_expressions.json", 1)]
    [InlineData(DatasetKind.A2d, "annotations.json", 2)]
    [InlineData(DatasetKind.Jhmdb, "jhmdb_annotation.txt", 1)]
    public void A_missing_set_is_a_problem(DatasetKind dataset, string named, int count)
    {
        (DataReport report, List<DataProblem> problems) = Verify(dataset);
        Assert.Equal((count, 0), (report.Errors, report.Samples));
        Assert.All(problems, problem => Assert.Contains(named, problem.File));
    }

    [Theory]
    [InlineData(DatasetKind.Joint, false, "refcoco refcoco+ refcocog ytvos")]
    [InlineData(DatasetKind.RefsAndYouTubeVos, false, "refcoco refcoco+ refcocog ytvos")]
    [InlineData(DatasetKind.RefCocoPlus, false, "refcoco+")]
    [InlineData(DatasetKind.RefCoco, true, "refcoco refcoco+ refcocog")]
    [InlineData(DatasetKind.A2d, false, "a2d")]
    public void Joined_sets_are_verified_one_by_one(DatasetKind dataset, bool combined, string expected) =>
        Assert.Equal(expected, string.Join(' ', Verifiers.Of(new DataOptions { Dataset = dataset, CombinedImages = combined }, null, _ => { }, (_, _) => { }).Select(entry => entry.Name)));

    private string Frame(string split, string frame) => Path.Combine(Root, split, "JPEGImages", "a", frame + ".jpg");

    private void WriteVideos()
    {
        ClipSets.AddVideo(Root, "train", "a", 9);
        ClipSets.AddVideo(Root, "valid", "a", 3);
        ClipSets.WriteExpressions(Root, "train", true, ("a", 9, [1, 2]));
        ClipSets.WriteExpressions(Root, "valid", false, ("a", 3, [1]));
    }

    private (DataReport Report, List<DataProblem> Problems) Verify(DatasetKind dataset)
    {
        DataOptions options = new() { Dataset = dataset, YouTubeVosRoot = Root, A2dRoot = Root, JhmdbRoot = Root, ImageSize = 32 };
        List<DataProblem> problems = [];
        return (Assert.Single(Verifiers.Of(options, ClipSets.Tokenizer, problems.Add, (_, _) => { })).Verifier.Run(), problems);
    }
}
