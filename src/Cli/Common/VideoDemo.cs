using System.Diagnostics;
using System.Globalization;
using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Demo;
using Lavt.Evaluation;
using Lavt.Text;
using Lavt.Training;

namespace Lavt.Cli;

/// <summary>
/// <c>lavt demo --video</c>: draws moving scenes in which most sentences speak of motion, trains a small video LAVT on them,
/// evaluates it on whole videos and, to show that it sees motion, on single frames, and writes a page about it.
/// </summary>
internal static class VideoDemo
{
    private const string RunName = "demo";
    private const int SentencesOnPage = 16;

    // What the demo must reach: J&F over all sentences, and how much more clips give than single frames where motion decides.
    private const double LeastScore = 60;
    private const double LeastGain = 10;

    /// <summary>A video LAVT that two cores train in a few minutes.</summary>
    private static readonly string[] s_training =
    [
        "--model", "lavt_video", "--model_id", RunName, "--num_frames", "6", "--embed_dim", "24", "--depths", "1-1-2-1", "--heads", "1-2-4-8", "--window", "5",
        "--sep_t_pwam", "--conv3d_kernel_size_t", "3-3-3", "--conv3d_kernel_size_s", "1-1-1", "--w_t3x3_s1x1", "--mm_t3x3_s1x1",
        "--drop_path", "0", "--ck_bert", "none", "--bert_hidden", "64", "--bert_layers", "2", "--bert_heads", "4", "--bert_intermediate", "256",
        "--bert_positions", "22", "--bert_dropout", "0", "--lang_enc_params", "embeddings+encoder-all", "--loss", "mc_dice", "--lr", "1e-3",
        "--batch-size", "4", "--img_size", "64", "--epochs", "3", "--workers", "1", "--keep", "0", "--print-freq", "50",
    ];

    /// <summary>Runs the demo in a folder, with the flags that name a device.</summary>
    public static int Run(string folder, ulong seed, string[] machine)
    {
        long started = Stopwatch.GetTimestamp();
        string data = Path.Combine(folder, "data");
        Terminal.Note($"drawing a data set in {data}");
        bool withA2d = A2dMask.IsSupported;
        DemoVideos.Make(data, new DemoVideoOptions { Seed = seed, WithA2d = withA2d });
        string[] where = ["--ytvos_data_root", data, "--a2d_data_root", Path.Combine(data, DemoVideos.A2dFolder), "--bert_tokenizer", data, .. machine];
        string vocabulary = BertTokenizer.Load(data).VocabularySize.ToString(CultureInfo.InvariantCulture);
        int code = DemoCommand.Call(folder, "lavt-train",
            [.. s_training, "--dataset", "ytvos", "--bert_vocabulary", vocabulary, "--seed", seed.ToString(CultureInfo.InvariantCulture), .. where]);
        string[] weights = ["--resume", Path.Combine("checkpoints", $"model_best_{RunName}.pth"), "--workers", "1", .. where];
        List<string[]> evaluations =
        [
            ["--dataset", "ytvos", "--split", "valid", "--masks", "clips", "--visualize", "--json", "clips.json"],
            ["--dataset", "ytvos", "--split", "valid", "--masks", "frames", "--sliding_window", "1", "--json", "frames.json"],
        ];
        if (withA2d) evaluations.Add(["--dataset", "a2d", "--split", "val", "--clip_length", "6", "--json", "a2d.json"]);
        foreach (string[] evaluation in evaluations)
        {
            if (code == ExitCode.Ok) code = DemoCommand.Call(folder, "lavt-eval", [.. weights, .. evaluation]);
        }
        return code == ExitCode.Ok ? Show(folder, YouTubeVosData.Load(data, "valid"), Stopwatch.GetElapsedTime(started)) : code;
    }

    private static int Show(string folder, YouTubeVosData data, TimeSpan duration)
    {
        VideoReport clips = VideoReport.Load(Path.Combine(folder, "clips.json")), frames = VideoReport.Load(Path.Combine(folder, "frames.json"));
        string run = Path.Combine(folder, "models", RunName), page = Path.Combine(folder, "index.html");
        new DemoPage
        {
            Introduction = "A small LAVT for videos, trained from scratch on drawn scenes that move",
            Steps = TrainingLog.ReadSteps(run),
            Validations = TrainingLog.ReadValidations(run),
            Evaluations = [("whole videos", Rows(clips, data)), ("one frame at a time", Rows(frames, data))],
            Pictures = [.. Sentences(data).Take(SentencesOnPage)],
            Duration = duration,
        }.Save(page);
        double score = clips.Scores!.JAndF, seen = OfMotion(clips, data, true), blind = OfMotion(frames, data, true);
        Line("J&F on the split valid", score);
        Line("J&F of sentences about motion", seen);
        Line("the same, seeing one frame at a time", blind);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds:F0} s in all; open {page}"));
        if (score >= LeastScore && seen >= blind + LeastGain) return ExitCode.Ok;
        Terminal.Error(string.Create(CultureInfo.InvariantCulture, $"the demo missed its mark: J&F of at least {LeastScore:F0}, and {LeastGain:F0} more than single frames for sentences about motion; another --seed may do better"));
        return ExitCode.Internal;
    }

    private static void Line(string name, double value) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-40}{value,6:F2}"));

    private static IReadOnlyList<(string Name, double Value)> Rows(VideoReport report, YouTubeVosData data) =>
    [
        ("J&F", report.Scores!.JAndF), ("J", report.Scores.J), ("F", report.Scores.F), ("overall IoU", report.OverallIou),
        ("J&F, sentences about motion", OfMotion(report, data, true)), ("J&F, sentences about looks", OfMotion(report, data, false)),
    ];

    /// <summary>The mean J&amp;F of the sentences that speak of motion, or of those that do not.</summary>
    private static double OfMotion(VideoReport report, YouTubeVosData data, bool speaksOfMotion)
    {
        HashSet<(string, string)> meant = [.. data.Videos.SelectMany(video => video.Expressions
            .Where(expression => DemoVideos.SpeaksOfMotion(expression.Text) == speaksOfMotion).Select(expression => (video.Name, expression.Id)))];
        return report.Scores!.Videos.SelectMany(video => video.Expressions.Where(score => meant.Contains((video.Video, score.Expression))))
            .Select(score => score.JAndF).DefaultIfEmpty().Average();
    }

    /// <summary>The frames of each sentence with its masks, and its words.</summary>
    private static IEnumerable<(IReadOnlyList<string> Files, string Caption)> Sentences(YouTubeVosData data)
    {
        return data.Videos.SelectMany(video => video.Expressions.Select((expression, i) =>
            ((IReadOnlyList<string>)[.. video.Frames.Where((_, frame) => frame % 2 == 1).Select(frame => VideoMaskFolder.PictureOf("clips", video.Name, i, frame))], expression.Text)));
    }
}
