using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Evaluation;
using Lavt.Models;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Text;

namespace Lavt.Training;

/// <summary>
/// Clips: every sentence once in an epoch, with frames that are drawn anew. A picture model learns from each frame as from a
/// picture.
/// </summary>
internal sealed class ClipTrainingData : ITrainingData
{
    private readonly LavtOptions _options;
    private readonly CollectiveQueue _devices;
    private readonly IClipDataset _training;
    private readonly IClipDataset? _clips;
    private readonly VideoPieces? _videos;
    private readonly ClipLoader _loader;

    /// <summary>Opens what <c>--dataset</c> names, and what it is validated on.</summary>
    /// <exception cref="OptionException">The data set is none to train clips on.</exception>
    /// <exception cref="DataException">A file is missing or broken.</exception>
    public ClipTrainingData(LavtOptions options, BertTokenizer tokenizer, CollectiveQueue devices)
    {
        (_options, _devices) = (options, devices);
        _training = ClipDatasets.OpenTraining(options.Data, tokenizer);
        _loader = new ClipLoader(_training, options.Training.BatchSize, options.Data.Workers);
        if (options.Data.CombinedImagesAsClips || options.Data.Dataset == DatasetKind.A2d)
            _clips = ClipDatasets.OpenEvaluation(options.Data, "val", tokenizer);
        else
            _videos = OpenMarkedVideos(options.Data, tokenizer);
    }

    /// <inheritdoc/>
    public string Description => $"{_training.Name}: {_training.Count} clips of {_training.Shape.Frames} frames to train on, "
        + (_clips is not null ? $"{_clips.Count} clips to validate on"
            : _videos is not null ? $"{_videos.Videos.Count} videos to validate on"
            : "none to validate on, since the masks of the split valid are not there");

    /// <inheritdoc/>
    public int Count => Math.Min(_training.Count, _options.Training.LimitTrain ?? int.MaxValue);

    /// <inheritdoc/>
    public bool CanValidate => _clips is not null || _videos is not null;

    /// <inheritdoc/>
    public IEnumerable<Func<TrainingTensors>> Read(ulong seed, int epoch, int firstBatch)
    {
        ClipChoice[] plan = [.. ClipPlan.Training(_training, seed, epoch).Where(choice => choice.Sample < Count)];
        plan = PlanShare.OfBatches(plan, _options.Training.BatchSize, _devices.Rank, _devices.Size);
        return _loader.Read(plan, dropLast: true, firstBatch).Select(batch => (Func<TrainingTensors>)(() => Tensors(batch)));
    }

    /// <inheritdoc/>
    public ValidationResult Validate(LavtModel model, Action<int, int> progress, CancellationToken stop)
    {
        int? limit = _options.Training.LimitValidation;
        if (_clips is not null)
        {
            var clips = new ClipEvaluator(model, _clips, _options.Data.Workers) { Devices = _devices, Progress = progress };
            EvaluationReport report = clips.Run(ClipPlan.Evaluation(_clips)[..Math.Min(limit ?? int.MaxValue, _clips.Count)], stop);
            return new ValidationResult(report.Results.Count, report.Scores.MeanIou, report.Scores.OverallIou, null, report.Seconds, report.BrokenSamples);
        }
        var evaluator = new VideoEvaluator(model, _videos!, _options.Data.Workers) { Devices = _devices, Window = _options.Data.SlidingWindow, Progress = progress };
        VideoReport videos = evaluator.Run(Math.Min(limit ?? int.MaxValue, _videos!.Videos.Count), stop);
        return new ValidationResult(videos.Sentences, videos.Scores?.J ?? 0, videos.OverallIou, videos.Scores?.JAndF, videos.Seconds, videos.BrokenSamples);
    }

    private static TrainingTensors Tensors(ClipBatch batch)
    {
        (Tensor ids, Tensor mask) = ClipTensors.Words(batch);
        return new TrainingTensors(
            ClipTensors.Frames(batch), ids, mask, ClipTensors.Masks(batch), batch.Shape.Masks == 1 ? ClipTensors.AnnotatedRows(batch) : null);
    }

    /// <summary>The videos of the split valid, if their masks have been put there; the published download has none.</summary>
    private static VideoPieces? OpenMarkedVideos(DataOptions options, BertTokenizer tokenizer)
    {
        if (!File.Exists(YouTubeVosData.ExpressionPathOf(options.YouTubeVosRoot, "valid"))) return null;
        VideoPieces videos = ClipDatasets.OpenVideos(options, "valid", tokenizer, VideoEvaluator.PieceFrames);
        return videos.HasMasks ? videos : null;
    }
}
