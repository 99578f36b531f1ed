using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Evaluation;
using Lavt.Imaging;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Text;
using Lavt.Training;

namespace Lavt.Cli;

/// <summary>The part of <c>lavt-eval</c> for clips and videos.</summary>
internal static class ClipEvaluation
{
    private const string A2dMasks = "a2d_predicted_masks";
    private const string A2dFeatures = "a2d_visualized_feats";
    private const string VideoMasks = "ytv_results";

    /// <summary>Evaluates what <c>--dataset</c> names; null if it was interrupted.</summary>
    public static int? Run(TrainedModel trained, CollectiveQueue devices, CancellationToken stop)
    {
        LavtOptions options = trained.Options;
        if (devices.Size > 1 && (options.Evaluation.A2dMasks || options.Evaluation.SaveFeatures || WritesVideos(options)))
            throw new OptionException("--device", "masks and features of clips are written by one device; leave the flag out");
        BertTokenizer tokenizer = ReferDatasets.LoadTokenizer(options.Data, options.Model.Bert);
        var status = new StatusLine();
        try
        {
            return WritesVideos(options)
                ? Videos(trained, ClipDatasets.OpenVideos(options.Data, options.Data.Split, tokenizer, VideoEvaluator.PieceFrames), status, stop)
                : Clips(trained, ClipDatasets.OpenEvaluation(options.Data, options.Data.Split, tokenizer), devices, status, stop);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        finally
        {
            status.Clear();
        }
    }

    private static bool WritesVideos(LavtOptions options) => options.Data.Dataset == DatasetKind.YouTubeVos && !options.Data.CombinedImagesAsClips;

    private static int Clips(TrainedModel trained, IClipDataset dataset, CollectiveQueue devices, StatusLine status, CancellationToken stop)
    {
        (LavtOptions options, A2dDataset? a2d) = (trained.Options, dataset as A2dDataset);
        A2dMaskFolder? masks = a2d is not null && options.Evaluation.A2dMasks ? new A2dMaskFolder(options.Evaluation.MaskFolder ?? A2dMasks) : null;
        SideOutput<ClipMask>? written = masks is null ? null : new(mask => masks.Add(a2d![mask.Sample], mask.Mask, mask.Confidence));
        FeatureFolder? features = a2d is not null && options.Evaluation.SaveFeatures ? new FeatureFolder(A2dFeatures) : null;
        var evaluator = new ClipEvaluator(trained.Model, dataset, options.Data.Workers)
        {
            Devices = devices,
            Progress = devices.Rank > 0 ? null : (done, total) => status.Progress(new TrainingProgress(dataset.Name, done, total, null, null)),
            MaskReady = written is null ? null : written.Add,
            Features = features is null ? null : (features, a2d!),
        };
        ClipChoice[] plan = ClipPlan.Evaluation(dataset);
        EvaluationReport report = evaluator.Run(plan[..Math.Min(options.Training.LimitValidation ?? int.MaxValue, plan.Length)], stop) with { Checkpoint = options.Weights.Resume };
        if (devices.Rank > 0) return ExitCode.Ok;
        status.Clear();
        Console.Write(report);
        int code = Name(report.BrokenSamples);
        if (options.Evaluation.JsonFile is { } file) report.Save(file);
        written?.Finish();
        masks?.Finish();
        return code;
    }

    private static int Videos(TrainedModel trained, VideoPieces videos, StatusLine status, CancellationToken stop)
    {
        (LavtOptions options, EvaluationOptions output) = (trained.Options, trained.Options.Evaluation);
        string folder = output.MaskFolder ?? Path.Combine(VideoMasks, Path.GetFileNameWithoutExtension(options.Weights.Resume), videos.Data.Split);
        var masks = new VideoMaskFolder(folder);
        var evaluator = new VideoEvaluator(trained.Model, videos, options.Data.Workers)
        {
            Window = options.Data.SlidingWindow,
            Progress = (done, total) => status.Progress(new TrainingProgress(videos.Name, done, total, null, null)),
            MaskReady = mask => Write(masks, videos.Data, mask, output.Visualize),
        };
        VideoReport report = evaluator.Run(Math.Min(options.Training.LimitValidation ?? int.MaxValue, videos.Videos.Count), stop) with { Checkpoint = options.Weights.Resume };
        status.Clear();
        Console.Write(report);
        Console.WriteLine($"masks: {folder}{(output.ZipFile is null ? "" : $", {output.ZipFile}")}");
        int code = Name(report.BrokenSamples);
        if (output.ZipFile is { } zip) masks.SaveZip(zip);
        if (output.JsonFile is { } file) report.Save(file);
        return code;
    }

    private static void Write(VideoMaskFolder folder, YouTubeVosData data, VideoMask mask, bool withPicture)
    {
        string frame = mask.Video.Frames[mask.Frame];
        folder.Add(mask.Video.Name, mask.Video.Expressions[mask.Expression].Id, frame, mask.Mask);
        if (withPicture) folder.AddPicture(mask.Video.Name, mask.Expression, frame, Picture.Load(data.FramePath(mask.Video.Name, frame)), mask.Mask);
    }

    private static int Name(IReadOnlyList<string> broken)
    {
        foreach (string sample in broken) Terminal.Error("left out: " + sample);
        return broken.Count == 0 ? ExitCode.Ok : ExitCode.BrokenSamples;
    }
}
