using System.Text.Json;
using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Imaging;
using Lavt.Metrics;
using Lavt.Scoring;
using Lavt.Tests.Clips;
using Lavt.Tests.Data;
using Xunit;

namespace Lavt.Tests.Scoring;

public sealed class ScoringTests : IDisposable
{
    private readonly DataGolden.TemporaryFolder _folder = DataGolden.NewFolder();

    public void Dispose() => _folder.Dispose();

    private string Predictions => Path.Combine(_folder.Folder, "predictions");

    private string Truth => Path.Combine(_folder.Folder, "truth");

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Sentences_score_what_the_golden_measures_say(int threads)
    {
        JsonElement[] cases = WriteGolden();
        VideoScores scores = new VideoScorer(threads).ScoreSentences(Predictions, Truth, "valid");
        Assert.Equal(["a", "b"], scores.Videos.Select(video => video.Video));
        foreach (VideoScore video in scores.Videos)
        {
            Assert.Equal(6, video.Expressions.Count);
            foreach (ExpressionScore expression in video.Expressions)
            {
                JsonElement test = cases[int.Parse(expression.Expression, System.Globalization.CultureInfo.InvariantCulture)];
                Assert.Equal(100 * test.GetProperty("J").GetDouble(), expression.J, 1e-9);
                Assert.Equal(100 * test.GetProperty("F").GetDouble(), expression.F, 1e-9);
                Assert.Equal(50 * (test.GetProperty("J").GetDouble() + test.GetProperty("F").GetDouble()), expression.JAndF, 1e-9);
            }
            Assert.Equal(video.Expressions.Average(e => e.JAndF), video.JAndF, 1e-9);
        }
        Assert.Equal(100 * cases.Average(test => test.GetProperty("J").GetDouble()), scores.J, 1e-9);
        Assert.Equal(100 * cases.Average(test => test.GetProperty("F").GetDouble()), scores.F, 1e-9);
        Assert.Equal((scores.J + scores.F) / 2, scores.JAndF, 1e-9);
        Assert.Empty(scores.Missing);
        Assert.Empty(scores.Surplus);
        Assert.Contains("12 sentences or objects of 2 videos", scores.ToString());
    }

    [Fact]
    public void The_mean_is_over_frames_then_over_sentences()
    {
        Mask full = new(4, 4), empty = new(4, 4);
        full.Pixels.Fill(1);
        Write(Truth, "v/0/a", full);
        Write(Truth, "v/0/b", full);
        Write(Truth, "v/0/c", empty);
        Write(Truth, "v/1/a", full);
        Write(Predictions, "v/0/a", full);
        Write(Predictions, "v/0/b", empty);
        Write(Predictions, "v/0/c", empty);
        Write(Predictions, "v/1/a", empty);
        VideoScores scores = new VideoScorer(1).ScoreSentences(Predictions, Truth, "valid");
        Assert.Equal([200.0 / 3, 0], scores.Videos[0].Expressions.Select(e => e.J), new Near());
        Assert.Equal(100.0 / 3, scores.J, 1e-9);
    }

    [Fact]
    public void Missing_and_surplus_masks_are_named_and_missing_ones_count_as_nothing()
    {
        WriteGolden();
        VideoScores whole = new VideoScorer(1).ScoreSentences(Predictions, Truth, "valid");
        string gone = Path.Combine(Predictions, "Annotations", "a", "0"), cut = Path.Combine(Predictions, "Annotations", "a", "1", "0.png");
        Directory.Delete(gone, recursive: true);
        File.WriteAllBytes(cut, File.ReadAllBytes(cut)[..40]);
        Directory.Delete(Path.Combine(Predictions, "Annotations", "b"), recursive: true);
        Write(Path.Combine(Predictions, "Annotations"), "c/0/0", new Mask(2, 2));
        Write(Path.Combine(Predictions, "Annotations"), "a/2/7", new Mask(2, 2));
        Write(Path.Combine(Predictions, "Annotations"), "a/3/0", new Mask(2, 2));
        VideoScores scores = new VideoScorer(2).ScoreSentences(Predictions, Truth, "valid");
        Assert.Equal(4, scores.Missing.Count);
        Assert.Equal($"{gone}: missing", scores.Missing[0]);
        Assert.StartsWith($"{cut}: the picture is cut off", scores.Missing[1]);
        Assert.Contains("2 x 2 pixels, the truth has", scores.Missing[2]);
        Assert.Equal($"{Path.Combine(Predictions, "Annotations", "b")}: missing", scores.Missing[3]);
        Assert.Equal([Path.Combine(Predictions, "Annotations", "a", "2", "7.png"), Path.Combine(Predictions, "Annotations", "c", "0")], scores.Surplus);
        Assert.Equal(0, scores.Videos[0].Expressions[0].J);
        Assert.Equal(whole.Videos[0].Expressions[4], scores.Videos[0].Expressions[4]);
        Assert.Equal(0, scores.Videos[1].JAndF);
    }

    [Fact]
    public void A_data_set_with_masks_is_a_truth_too()
    {
        ClipSets.AddVideo(Truth, "valid", "v", 5);
        ClipSets.WriteExpressions(Truth, "valid", true, ("v", 5, [1, 2]));
        YouTubeVosData data = YouTubeVosData.Load(Truth, "valid");
        foreach (VideoExpression expression in data.Videos[0].Expressions)
        {
            foreach (string frame in data.Videos[0].Frames)
            {
                Mask mask = Mask.Load(data.MaskPath("v", frame));
                mask.KeepOnly((byte)expression.Object!.Value);
                Write(Predictions, $"v/{expression.Id}/{frame}", mask);
            }
        }
        VideoScores scores = new VideoScorer(1).ScoreSentences(Predictions, Truth, "valid");
        Assert.Equal((100, 100, 2), (scores.J, scores.F, scores.Expressions));
        Mask wrong = new(ClipSets.Rows, ClipSets.Columns);
        wrong.Pixels[0] = 1;
        Write(Predictions, "v/1/00000", wrong);
        Assert.Equal(80, new VideoScorer(1).ScoreSentences(Predictions, Truth, "valid").Videos[0].Expressions[1].J, 1e-9);
    }

    [Fact]
    public void Objects_are_scored_by_their_index_for_each_annotator()
    {
        Mask truth = new(6, 6), one = new(6, 6);
        truth.Pixels[..12].Fill(1);
        truth.Pixels[12..24].Fill(2);
        truth.Pixels[30..].Fill(255);
        truth.Pixels.CopyTo(one.Pixels);
        one.Pixels[12..24].Fill(1);
        WriteIndices(Path.Combine(Truth, "Annotations", "480p", "v", "0.png"), truth);
        WriteIndices(Path.Combine(Predictions, "anno_0", "v", "0.png"), truth);
        WriteIndices(Path.Combine(Predictions, "anno_1", "v", "0.png"), one);
        VideoScores scores = new VideoScorer(1).ScoreObjects(Predictions, Truth);
        Assert.Equal(["anno_0 1", "anno_0 2", "anno_1 1", "anno_1 2"], scores.Videos[0].Expressions.Select(e => e.Expression));
        Assert.Equal([100, 100, 50, 0], scores.Videos[0].Expressions.Select(e => e.J), new Near());
        Assert.Equal(62.5, scores.J, 1e-9);
        Assert.Equal([100, 100], new VideoScorer(1).ScoreObjects(Path.Combine(Predictions, "anno_0"), Truth).Videos[0].Expressions.Select(e => e.J));
    }

    [Fact]
    public void Folders_that_are_missing_are_named()
    {
        Assert.Contains(Predictions, Assert.Throws<DataException>(() => new VideoScorer(1).ScoreObjects(Predictions, Predictions)).Message);
        Directory.CreateDirectory(Truth);
        Assert.Contains("no such folder", Assert.Throws<DataException>(() => new VideoScorer(1).ScoreSentences(Predictions, Truth, "valid")).Message);
        Directory.CreateDirectory(Predictions);
        Assert.Contains("no true masks", Assert.Throws<DataException>(() => new VideoScorer(1).ScoreSentences(Predictions, Truth, "valid")).Message);
    }

    [Fact]
    public void Actors_are_scored_by_sentence()
    {
        ClipSets.WriteA2d(Truth, "test", ("dog", "v", 1, 0), ("cat", "v", 1, 2), ("cow", "w", 4, 2));
        A2dData data = A2dData.Load(Truth, "test");
        Mask dog = new(), cat = new();
        A2dMask.Read(data.MaskPath("v", 1), 0, "", dog);
        A2dMask.Read(data.MaskPath("v", 1), 2, "", cat);
        Write(Predictions, "v/1/0", dog);
        Write(Predictions, "v/1/2", Resize.Nearest(cat, 40, 40));
        Write(Predictions, "v/1/9", cat);
        A2dScores scores = A2dScorer.Score(Predictions, data);
        Assert.Equal([1, 1, 0], scores.Results.Select(result => result.Iou));
        Assert.Equal((200.0 / 3, 3), (scores.Scores.MeanIou, (int)scores.Scores.Sentences));
        Assert.Equal($"{Path.Combine(Predictions, "w")}: missing", Assert.Single(scores.Missing));
        Assert.Equal(Path.Combine(Predictions, "v", "1", "9.png"), Assert.Single(scores.Surplus));
        Assert.False(scores.HasConfidences);
        // Two of three are found first: precision is 1 up to a recall of 2/3, at 67 of 101 places.
        Assert.Equal(100 * 67 / 101.0, scores.MeanAveragePrecision, 1e-9);
        File.WriteAllText(Path.Combine(Predictions, A2dScorer.ConfidenceFile), "{\"v_w_f_4_i_2\": 0.9, \"v_v_f_1_i_0\": 0.5, \"v_v_f_1_i_2\": 0.4}");
        scores = A2dScorer.Score(Predictions, data);
        Assert.Equal(100 * 67 / 101.0 * (2.0 / 3), scores.MeanAveragePrecision, 1e-9);
        Assert.Contains("mAP 0.5:0.95", scores.ToString());
    }

    [Fact]
    public void Average_precision_follows_the_order_of_the_scores()
    {
        AveragePrecision precision = new();
        Assert.Equal(0, precision.Mean());
        // Found at thresholds up to 0.7, up to 0.95 and never, in the order of the scores: second, first, third.
        precision.Add(0.8, 0.72);
        precision.Add(0.9, 0.96);
        precision.Add(0.1, 0.2);
        double both = 67 / 101.0, one = 34 / 101.0;
        Assert.Equal(100 * (5 * both + 5 * one) / 10, precision.Mean(), 1e-9);
        precision = new AveragePrecision();
        precision.Add(0.9, 0.3);
        precision.Add(0.8, 1);
        // Half right: precision 1/2 at all recalls up to 1/2.
        Assert.Equal(100 * 51 / 101.0 / 2, precision.Mean(), 1e-9);
    }

    [Fact]
    public void Scores_are_written_as_json()
    {
        WriteGolden();
        string file = Path.Combine(_folder.Folder, "results", "scores.json");
        VideoScores scores = new VideoScorer(1).ScoreSentences(Predictions, Truth, "valid");
        scores.Save(file);
        JsonElement json = JsonDocument.Parse(File.ReadAllBytes(file)).RootElement;
        Assert.Equal(scores.JAndF, json.GetProperty("j_and_f").GetDouble(), 1e-9);
        Assert.Equal(6, json.GetProperty("videos")[0].GetProperty("expressions").GetArrayLength());
    }

    private static void Write(string root, string name, Mask mask)
    {
        string file = Path.Combine(root, name + ".png");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        mask.SavePng(file);
    }

    private static void WriteIndices(string file, Mask indices)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllBytes(file, Png.EncodeIndices(indices, new byte[768]));
    }

    /// <summary>Each golden pair of masks as a sentence of its own, half of them of one video, half of another.</summary>
    private JsonElement[] WriteGolden()
    {
        JsonElement[] cases = [.. DataGolden.Json("measures", "cases.json").GetProperty("cases").EnumerateArray()];
        for (int i = 0; i < cases.Length; i++)
        {
            string place = Path.Combine("Annotations", i < cases.Length / 2 ? "a" : "b", i.ToString(System.Globalization.CultureInfo.InvariantCulture));
            foreach ((string root, string kind) in new[] { (Predictions, "prediction"), (Truth, "truth") })
            {
                Directory.CreateDirectory(Path.Combine(root, place));
                File.Copy(DataGolden.Path("measures", $"{kind}_{i}.png"), Path.Combine(root, place, "0.png"));
            }
        }
        return cases;
    }

    private sealed class Near : IEqualityComparer<double>
    {
        public bool Equals(double x, double y) => Math.Abs(x - y) < 1e-9;

        public int GetHashCode(double value) => 0;
    }
}
