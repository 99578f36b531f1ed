using System.Diagnostics;
using Lavt.Data;
using Lavt.Imaging;
using Lavt.Metrics;
using Lavt.Models;
using Lavt.Nn.Parallel;
using Lavt.Tensors;

namespace Lavt.Evaluation;

/// <summary>A mask that the model predicted for a sentence.</summary>
/// <param name="Sample">The object that is meant.</param>
/// <param name="SentenceIndex">Which of the object's sentences, from 0.</param>
/// <param name="Mask">The mask at the picture's own size; filled anew for the next sentence.</param>
public readonly record struct EvaluatedMask(ReferSample Sample, int SentenceIndex, Mask Mask);

/// <summary>Evaluates a model on sentences of a data set, at the model's input size and at the pictures' own sizes.</summary>
/// <param name="model">The model; it is put into evaluation mode.</param>
/// <param name="dataset">The samples.</param>
/// <param name="batchSize">How many sentences go through the model together; their number changes no result.</param>
/// <param name="loadingThreads">Threads that read pictures ahead.</param>
public sealed class Evaluator(LavtModel model, ReferDataset dataset, int batchSize, int loadingThreads)
{
    // A GPU computes a batch while the host compares the masks of the one before.
    private readonly BatchLoader _loader = new(dataset, batchSize, loadingThreads, held: model.Device.IsCuda ? 2 : 1);
    private readonly Mask _prediction = new();
    private readonly Mask _originalPrediction = new();

    /// <summary>The devices that share the work, each with a replica of the model; the report is that of all.</summary>
    public CollectiveQueue Devices { get; init; } = CollectiveQueue.Single;

    /// <summary>Gives each object a sentence of another object of its picture.</summary>
    public bool SwapSentences { get; init; }

    /// <summary>Gets the number of sentences done and that of all, after every batch.</summary>
    public Action<int, int>? Progress { get; init; }

    /// <summary>Gets every mask.</summary>
    public Action<EvaluatedMask>? MaskReady { get; init; }

    /// <summary>Evaluates the items of a plan. Samples that cannot be read are left out and named in the report.</summary>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public EvaluationReport Run(SampleChoice[] plan, CancellationToken stop)
    {
        long started = Stopwatch.GetTimestamp();
        SentenceSwap? swap = SwapSentences ? new SentenceSwap(dataset) : null;
        plan = swap?.Possible(plan) ?? plan;
        plan = plan[PlanShare.Of(plan.Length, Devices.Rank, Devices.Size)];
        var tally = new MaskTally();
        model.SetMode(training: false);
        using ModelSession session = new(model);
        using LogitsQueue logits = new(model.Device);
        foreach (Batch batch in ReadPastBroken(plan, tally.Broken, () => logits.Finish()))
        {
            if (stop.IsCancellationRequested) break;
            swap?.Apply(batch);
            using MemoryScope scope = MemoryScope.Begin();
            logits.Add(Forward(session, batch), ready =>
            {
                Compare(batch, ready, swap, tally);
                Progress?.Invoke(tally.Results.Count, plan.Length);
            });
        }
        logits.Finish();
        tally = tally.OfAll(Devices, stop);
        return new EvaluationReport
        {
            Dataset = dataset.Name,
            SplitBy = dataset.SplitBy,
            Split = dataset.Split,
            Checkpoint = "",
            ImageSize = dataset.ImageSize,
            SwappedSentences = SwapSentences,
            Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds,
            PeakMemoryMib = ProcessMemory.PeakMiB,
            Scores = tally.Scores,
            OriginalSizeScores = tally.OriginalSizeScores,
            BrokenSamples = tally.Broken,
            Results = tally.Results,
        };
    }

    /// <summary>Logits [B, S, S, 2]. What does not depend on the sentence is computed once per picture.</summary>
    private Tensor Forward(ModelSession session, Batch batch)
    {
        int[] firstOfPicture = new int[batch.Count];
        List<int> pictures = [];
        for (int item = 0; item < batch.Count; item++)
        {
            if (item == 0 || ImageOf(batch, item) != ImageOf(batch, item - 1))
                pictures.Add(item);
            firstOfPicture[item] = pictures.Count - 1;
        }
        PwamVisuals prefix = session.Prefix(Rows(BatchTensors.Pictures(batch), pictures)).ForSentences(firstOfPicture);
        Tensor mask = BatchTensors.TokenMask(batch);
        Tensor language = session.Words(BatchTensors.TokenIds(batch), mask);
        return session.Logits(prefix, batch.ImageSize, batch.ImageSize, language, mask);
    }

    private long ImageOf(Batch batch, int item) => dataset[batch.Choices[item].Sample].Image.Id;

    /// <summary>The entries of the first axis with the given numbers.</summary>
    private static Tensor Rows(Tensor tensor, IReadOnlyList<int> rows)
    {
        if (rows.Count == tensor.Shape[0])
            return tensor;
        int length = checked((int)(tensor.Count / tensor.Shape[0]));
        Tensor chosen = Tensor.Empty([rows.Count, length]);
        for (int i = 0; i < rows.Count; i++)
            tensor.Span<float>().Slice(rows[i] * length, length).CopyTo(chosen.Span<float>()[(i * length)..]);
        return chosen.ViewAs(tensor.Shape.With(0, rows.Count));
    }

    private void Compare(Batch batch, Tensor logits, SentenceSwap? swap, MaskTally tally)
    {
        int plane = batch.ImageSize * batch.ImageSize;
        for (int item = 0; item < batch.Count; item++)
        {
            SampleChoice choice = batch.Choices[item], said = swap?.Swapped(choice) ?? choice;
            ReferSample sample = dataset[choice.Sample];
            string text = dataset[said.Sample].Sentences[said.Sentence].Raw;
            PredictedMask.Read(logits, item, _prediction);
            MaskOverlap overlap = MaskOverlap.Of(_prediction.Pixels, batch.Masks.Slice(item * plane, plane));
            Mask truth = batch.Truth(item);
            PredictedMask.Read(logits, item, truth.Rows, truth.Columns, _originalPrediction);
            tally.Add(new SentenceResult(sample.RefId, choice.Sentence, text), overlap, MaskOverlap.Of(_originalPrediction.Pixels, truth.Pixels));
            MaskReady?.Invoke(new EvaluatedMask(sample, choice.Sentence, _originalPrediction));
        }
    }

    /// <summary>The batches of a plan. A sample that cannot be read is noted, and reading goes on behind it, after those that are held were finished.</summary>
    private IEnumerable<Batch> ReadPastBroken(SampleChoice[] plan, List<string> broken, Action finish)
    {
        while (plan.Length > 0)
        {
            int done = 0;
            DataException? failure = null;
            using IEnumerator<Batch> batches = _loader.Read(plan, dropLast: false).GetEnumerator();
            while (true)
            {
                try
                {
                    if (!batches.MoveNext())
                        yield break;
                }
                catch (DataException caught) when (plan.Any(choice => IsOf(caught, choice)))
                {
                    failure = caught;
                    break;
                }
                done += batches.Current.Count;
                yield return batches.Current;
            }
            finish();
            broken.Add(failure.Problem.ToString());
            plan = [.. plan[done..].Where(choice => !IsOf(failure, choice))];
        }
    }

    private bool IsOf(DataException failure, SampleChoice choice) => dataset.PlaceOf(choice.Sample) == failure.Problem.Place;
}
