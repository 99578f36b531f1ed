using Lavt.Data.Clips;
using Lavt.Evaluation;
using Lavt.Imaging;
using Lavt.Models;
using Lavt.Options;
using Lavt.Prediction;
using Lavt.Scoring;
using Lavt.Tensors;
using Lavt.Tests.Clips;
using Lavt.Text;
using Lavt.Training;
using Xunit;

namespace Lavt.Tests.Training;

public sealed class ClipEvaluatorTests(SmallVideos videos) : IClassFixture<SmallVideos>
{
    private LavtModel Model(string more = "") => new(videos.Options("eval", more).Model, new RandomSource(3));

    private string FramePath(string root, int frame) => videos.Videos(root).Data.FramePath(First.Name, First.Frames[frame]);

    private VideoEntry First => videos.Videos().Videos[0];

    [Theory]
    [InlineData(7, 3, new[] { 0, 3, 4 }, new[] { 0, 0, 2 })]
    [InlineData(6, 3, new[] { 0, 3 }, new[] { 0, 0 })]
    [InlineData(2, 3, new[] { 0 }, new[] { 0 })]
    [InlineData(4, 1, new[] { 0, 1, 2, 3 }, new[] { 0, 0, 0, 0 })]
    [InlineData(5, 0, new[] { 0 }, new[] { 0 })]
    public void Windows_cover_every_frame_once(int count, int length, int[] first, int[] seen)
    {
        FrameWindow<int>[] windows = [.. FrameWindows.Cut(Enumerable.Range(0, count), length)];
        Assert.Equal(first, windows.Select(window => window.First));
        Assert.Equal(seen, windows.Select(window => window.Seen));
        Assert.Equal(Enumerable.Range(0, count), windows.SelectMany(window => window.Frames.Skip(window.Seen)));
        Assert.All(windows, window => Assert.Equal(Enumerable.Range(window.First, window.Frames.Count), window.Frames));
    }

    [Fact]
    public void J_and_F_are_those_of_the_scorer()
    {
        VideoPieces pieces = videos.Videos();
        var folder = new VideoMaskFolder(videos.PathOf("masks"));
        var evaluator = new VideoEvaluator(Model(), pieces, 1)
        {
            MaskReady = mask => folder.Add(mask.Video.Name, mask.Video.Expressions[mask.Expression].Id, mask.Video.Frames[mask.Frame], mask.Mask),
        };
        VideoReport report = evaluator.Run(pieces.Videos.Count, default);
        VideoScores scores = new VideoScorer(1).ScoreSentences(videos.PathOf("masks"), videos.Data, "valid");
        Assert.Empty(scores.Missing);
        Assert.Empty(report.BrokenSamples);
        Assert.Equal(scores.Expressions, report.Sentences);
        Assert.Equal(scores.J, report.Scores!.J, 9);
        Assert.Equal(scores.F, report.Scores.F, 9);
        Assert.InRange(report.OverallIou, 0, 100);
        string file = videos.PathOf("videos.json");
        report.Save(file);
        Assert.Equal(report.Scores.JAndF, VideoReport.Load(file).Scores!.JAndF);
    }

    [Fact]
    public void A_window_as_long_as_the_video_is_the_whole_video()
    {
        LavtModel model = Model();
        Assert.Equal(Masks(model, 0), Masks(model, 5));
        Assert.Equal(Masks(model, 0), Masks(model, 9));
        Assert.NotEqual(Masks(model, 0), Masks(model, 1));
    }

    [Fact]
    public void A_picture_model_sees_one_frame_at_a_time()
    {
        LavtModel model = Model("--model lavt_one");
        Assert.Equal(Masks(model, 0), Masks(model, 1));
    }

    [Fact]
    public void A_prediction_on_frames_is_what_the_evaluation_saw()
    {
        string flags = "--dataset ytvos --epochs 1 --limit-train 3 --limit-val 1";
        TrainingResult trained = new Trainer(videos.Options("predicts", flags), new SmallRun.Observer(), videos.PathOf("logs")).Run(default);
        LavtOptions options = videos.Options("predicts", $"--resume {trained.LastCheckpoint}");
        byte[] seen = Masks(TrainedModel.Load(options).Model, 3);
        List<(int Sentence, int Frame, byte[] Mask)> found = [];
        IEnumerable<Picture> frames = First.Frames.Select(frame => Picture.Load(videos.Videos().Data.FramePath(First.Name, frame)));
        new Predictor(options).Predict(frames, [.. First.Expressions.Select(expression => expression.Text)], 3, (sentence, frame, mask) => found.Add((sentence, frame, mask.Pixels.ToArray())));
        Assert.Equal(seen, found.OrderBy(mask => mask.Sentence).ThenBy(mask => mask.Frame).SelectMany(mask => mask.Mask));
        Assert.All(found.GroupBy(mask => mask.Sentence), masks => Assert.Equal(Enumerable.Range(0, First.Frames.Count), masks.Select(mask => mask.Frame)));
    }

    [Fact]
    public void A_video_with_a_missing_frame_is_named_and_the_others_are_evaluated()
    {
        string root = videos.Copy("missing"), frame = FramePath(root, 3);
        File.Delete(frame);
        VideoReport report = new VideoEvaluator(Model(), videos.Videos(root), 1).Run(2, default);
        Assert.StartsWith(frame, Assert.Single(report.BrokenSamples), StringComparison.Ordinal);
        Assert.Equal(1, report.Videos);
        Assert.Single(report.Scores!.Videos);
    }

    [Fact]
    public void A_sentence_whose_object_never_appears_is_named_and_not_scored()
    {
        string root = videos.Copy("never"), expressions = YouTubeVosData.ExpressionPathOf(root, "valid");
        File.WriteAllText(expressions, File.ReadAllText(expressions).Replace("\"obj_id\":\"1\"", "\"obj_id\":\"9\"", StringComparison.Ordinal));
        VideoReport report = new VideoEvaluator(Model(), videos.Videos(root), 1).Run(1, default);
        string broken = Assert.Single(report.BrokenSamples);
        Assert.Contains(expressions, broken, StringComparison.Ordinal);
        Assert.Contains("the object 9 is in none", broken, StringComparison.Ordinal);
        Assert.Equal(First.Expressions.Count - 1, report.Scores!.Expressions);
    }

    [Fact]
    public void Annotated_frames_are_scored_as_the_scorer_does()
    {
        ClipSets.NeedHdf5();
        A2dDataset dataset = A2d(videos.A2d);
        var folder = new A2dMaskFolder(videos.PathOf("a2d_masks"));
        var evaluator = new ClipEvaluator(Model(), dataset, 1)
        {
            MaskReady = mask => folder.Add(dataset[mask.Sample], mask.Mask, mask.Confidence),
            Features = (new FeatureFolder(videos.PathOf("features")), dataset),
        };
        EvaluationReport report = evaluator.Run(ClipPlan.Evaluation(dataset), default);
        folder.Finish();
        A2dScores scores = A2dScorer.Score(videos.PathOf("a2d_masks"), A2dData.Load(videos.A2d, "test"));
        Assert.Equal(dataset.Count, report.Results.Count);
        Assert.Equal(scores.Scores.MeanIou, report.Scores.MeanIou, 9);
        Assert.Equal(scores.Scores.OverallIou, report.Scores.OverallIou, 9);
        Assert.Equal(scores.MeanAveragePrecision, report.Scores.MeanAveragePrecision!.Value, 9);
        Assert.Equal(scores.Results.Select(result => result.Name), report.Results.Select(result => result.Name));
        Assert.Equal(4 * dataset.Count, Directory.GetFiles(videos.PathOf("features"), "*_L?.png", SearchOption.AllDirectories).Length);
    }

    [Fact]
    public void A_clip_with_broken_masks_is_named_and_the_others_are_evaluated()
    {
        ClipSets.NeedHdf5();
        string root = Path.Combine(videos.Copy("masks-broken"), "a2d");
        string file = Directory.GetFiles(Path.Combine(root, "a2d_annotation_with_instances", First.Name)).Single();
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..100]);
        A2dDataset dataset = A2d(root);
        EvaluationReport report = new ClipEvaluator(Model(), dataset, 1).Run(ClipPlan.Evaluation(dataset), default);
        int ofClip = Enumerable.Range(0, dataset.Count).Count(i => dataset[i].Video == First.Name);
        Assert.Equal(ofClip, report.BrokenSamples.Count);
        Assert.All(report.BrokenSamples, broken => Assert.StartsWith(file, broken, StringComparison.Ordinal));
        Assert.Equal(dataset.Count - ofClip, report.Results.Count);
    }

    private A2dDataset A2d(string root) =>
        new(A2dData.Load(root, "test"), BertTokenizer.Load(videos.Data), 32, 4, ClipSampling.Window, drawAgain: false);

    /// <summary>All masks of the first video, sentence after sentence.</summary>
    private byte[] Masks(LavtModel model, int window)
    {
        List<(int Sentence, int Frame, byte[] Mask)> found = [];
        new VideoEvaluator(model, videos.Videos(), 0) { Window = window, MaskReady = mask => found.Add((mask.Expression, mask.Frame, mask.Mask.Pixels.ToArray())) }.Run(1, default);
        return [.. found.OrderBy(mask => mask.Sentence).ThenBy(mask => mask.Frame).SelectMany(mask => mask.Mask)];
    }
}
