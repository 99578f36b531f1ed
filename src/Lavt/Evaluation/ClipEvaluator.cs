using System.Diagnostics;
using Lavt.Autograd;
using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Imaging;
using Lavt.Metrics;
using Lavt.Models;
using Lavt.Nn.Parallel;
using Lavt.Tensors;

namespace Lavt.Evaluation;

/// <summary>A mask that the model predicted for the annotated frame of a clip.</summary>
/// <param name="Sample">The sample of the data set.</param>
/// <param name="Mask">The mask at the model's size; filled anew for the next sentence.</param>
/// <param name="Confidence">How sure the model is, 0 … 1.</param>
public readonly record struct ClipMask(int Sample, Mask Mask, double Confidence);

/// <summary>
/// Evaluates a model on clips: on the annotated frame where there is one (A2D-Sentences, JHMDB-Sentences), on all frames
/// together where each has a mask.
/// </summary>
public sealed class ClipEvaluator
{
    private readonly LavtModel _model;
    private readonly IClipDataset _dataset;
    private readonly ClipLoader _loader;
    private readonly Mask _prediction = new();
    private readonly Mask _originalPrediction = new();

    /// <summary>Takes memory for the clips that are read ahead.</summary>
    /// <param name="model">The model; it is put into evaluation mode.</param>
    /// <param name="dataset">The clips.</param>
    /// <param name="loadingThreads">Threads that read clips ahead.</param>
    public ClipEvaluator(LavtModel model, IClipDataset dataset, int loadingThreads)
    {
        (_model, _dataset) = (model, dataset);
        // A GPU computes a clip while the host compares the masks of the one before.
        _loader = new ClipLoader(dataset, batchSize: 1, loadingThreads, held: model.Device.IsCuda ? 2 : 1) { GoOnPastBroken = true };
    }

    /// <summary>The devices that share the work, each with a replica of the model; the report is that of all.</summary>
    public CollectiveQueue Devices { get; init; } = CollectiveQueue.Single;

    /// <summary>Gets the number of clips done and that of all.</summary>
    public Action<int, int>? Progress { get; init; }

    /// <summary>Gets every mask of an annotated frame.</summary>
    public Action<ClipMask>? MaskReady { get; init; }

    /// <summary>Where pictures of the features go, and the data set whose sentences name them; null for none.</summary>
    public (FeatureFolder Folder, A2dDataset Dataset)? Features { get; init; }

    /// <summary>Evaluates the items of a plan. Clips that cannot be read are left out and named in the report.</summary>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public EvaluationReport Run(ClipChoice[] plan, CancellationToken stop)
    {
        long started = Stopwatch.GetTimestamp();
        plan = plan[PlanShare.Of(plan.Length, Devices.Rank, Devices.Size)];
        var tally = new MaskTally();
        _model.SetMode(training: false);
        using ModelSession session = new(_model);
        using LogitsQueue logits = new(_model.Device);
        using IEnumerator<ClipBatch> batches = _loader.Read(plan, dropLast: false).GetEnumerator();
        bool more = Next();
        while (more)
        {
            ClipItem first = batches.Current[0];
            if (first.Failure is { } failure)
            {
                logits.Finish();
                tally.Broken.Add(failure.Problem.ToString());
                Progress?.Invoke(batches.Current.Index + 1, plan.Length);
                more = Next();
                continue;
            }
            // Clips that follow each other are often the same with another sentence; what does not depend on it is computed once.
            using MemoryScope scope = MemoryScope.Begin();
            byte[] frames = first.Frames.ToArray();
            PwamVisuals prefix = session.Prefix(ClipTensors.Frames(first));
            do
            {
                ClipBatch batch = batches.Current;
                using MemoryScope sentence = MemoryScope.Begin();
                logits.Add(Forward(batch, session, prefix), ready =>
                {
                    Compare(batch[0], ready, tally);
                    Progress?.Invoke(batch.Index + 1, plan.Length);
                });
                more = Next();
            }
            while (more && batches.Current[0].Failure is null && batches.Current[0].Frames.SequenceEqual(frames));
        }
        logits.Finish();
        return Report(tally.OfAll(Devices, stop), Stopwatch.GetElapsedTime(started));

        bool Next() => !stop.IsCancellationRequested && batches.MoveNext();
    }

    private EvaluationReport Report(MaskTally tally, TimeSpan duration) => new()
    {
        Dataset = _dataset.Name,
        SplitBy = "",
        Split = "",
        Checkpoint = "",
        ImageSize = _dataset.Shape.Size,
        SwappedSentences = false,
        Seconds = duration.TotalSeconds,
        PeakMemoryMib = ProcessMemory.PeakMiB,
        Scores = tally.ScoresWithPrecision,
        OriginalSizeScores = tally.OriginalSizeScoresWithPrecision,
        BrokenSamples = tally.Broken,
        Results = tally.Results,
    };

    /// <summary>Logits [T, S, S, 2].</summary>
    private Tensor Forward(ClipBatch batch, ModelSession session, PwamVisuals prefix)
    {
        ClipItem clip = batch[0];
        (Tensor ids, Tensor mask) = ClipTensors.Words(batch);
        Tensor language = session.Words(ids, mask);
        Tensor logits = session.Logits(prefix, clip.Shape.Size, clip.Shape.Size, language, mask);
        if (Features is { } to) to.Folder.Add(to.Dataset[clip.Choice.Sample], clip.AnnotatedFrame, [.. _model.Features(prefix, language, mask).Select(map => map is { } there ? Ops.To(there.AsFrames(), Device.Cpu) : null)]);
        return logits;
    }

    private void Compare(ClipItem clip, Tensor logits, MaskTally tally)
    {
        bool isAnnotated = clip.Shape.Masks == 1;
        MaskOverlap overlap = default, original = default;
        for (int place = 0; place < clip.Shape.Masks; place++)
        {
            int frame = isAnnotated ? clip.AnnotatedFrame : place;
            PredictedMask.Read(logits, frame, _prediction);
            overlap += MaskOverlap.Of(_prediction.Pixels, clip.Mask(place));
            PredictedMask.Read(logits, frame, clip.Truth.Rows, clip.Truth.Columns, _originalPrediction);
            original += MaskOverlap.Of(_originalPrediction.Pixels, clip.Truth.Pixels);
        }
        double confidence = isAnnotated ? PredictedMask.Confidence(logits, clip.AnnotatedFrame) : 1;
        tally.Add(new SentenceResult(clip.Choice.Sample, 0, clip.Sentence) { Name = clip.Name }, overlap, original, confidence);
        if (isAnnotated) MaskReady?.Invoke(new ClipMask(clip.Choice.Sample, _prediction, confidence));
    }
}
