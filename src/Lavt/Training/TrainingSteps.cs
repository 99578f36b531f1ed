using System.Diagnostics;
using System.Text.Json;
using Lavt.Autograd;
using Lavt.Data;
using Lavt.Losses;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Training;

/// <summary>A step that was begun. A GPU may still compute it: its loss is read when the next step is on its way.</summary>
/// <param name="Record">The step; its loss is not known yet.</param>
/// <param name="Loss">The loss.</param>
/// <param name="InEpoch">The step's number in its epoch, from 1.</param>
/// <param name="Started">When it was begun (<see cref="Stopwatch.GetTimestamp"/>).</param>
internal sealed record LaunchedStep(StepRecord Record, StepLoss Loss, int InEpoch, long Started);

/// <summary>Makes the steps of a run: takes the batches of a step to the device, computes gradients, changes the weights.</summary>
internal sealed class TrainingSteps(TrainingOptions training, LavtModel model, CollectiveQueue devices, DataParallel parallel, AdamW optimizer, LossScaler? scaler) : IDisposable
{
    /// <summary>Steps as graphs, where one GPU computes them.</summary>
    private readonly CapturedStep? _graph = model.Device.IsCuda && devices.Size == 1
        ? new CapturedStep(model.Device, model.State().Concat(model.TextEncoder.State()).Select(entry => entry.Value), optimizer, scaler)
        : null;

    /// <summary>Brings batches to one of several GPUs; null on the CPU.</summary>
    private readonly HostUpload? _upload = model.Device.IsCuda && devices.Size > 1 ? new HostUpload(model.Device) : null;

    /// <summary>Makes a step; what it reads of a GPU it does not wait for.</summary>
    /// <param name="batches">The batches of the epoch.</param>
    /// <param name="position">Where the run stands before the step.</param>
    /// <param name="learningRate">The learning rate, which the optimizer has by now.</param>
    /// <exception cref="DataException">A sample is missing or broken.</exception>
    public LaunchedStep Make(IEnumerator<Func<TrainingTensors>> batches, TrainingPosition position, double learningRate)
    {
        long started = Stopwatch.GetTimestamp(), waited = 0;
        Func<TrainingTensors> Wait()
        {
            long before = Stopwatch.GetTimestamp();
            Func<TrainingTensors> read = Next(batches);
            waited += Stopwatch.GetTimestamp() - before;
            return read;
        }
        StepLoss loss = _graph is null ? LaunchStep(Wait) : LaunchGraphs(_graph, Wait);
        StepRecord record = new()
        {
            Step = position.Step + 1,
            Epoch = position.Epoch,
            Loss = double.NaN,
            LearningRate = learningRate,
            DataSeconds = (double)waited / Stopwatch.Frequency,
        };
        return new LaunchedStep(record, loss, position.Batch / training.Accumulate + 1, started);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _graph?.Dispose();
        _upload?.Dispose();
    }

    /// <summary>The next part of a step. What one device cannot read stops all, with the same message.</summary>
    private Func<TrainingTensors> Next(IEnumerator<Func<TrainingTensors>> batches)
    {
        DataException? failure = null;
        try
        {
            batches.MoveNext();
        }
        catch (DataException error)
        {
            failure = error;
        }
        if (!devices.Any(failure is not null))
            return batches.Current;
        IEnumerable<byte[]> failures = devices.Gather(JsonSerializer.SerializeToUtf8Bytes(failure?.Problem));
        throw failure ?? new DataException(failures.Select(bytes => JsonSerializer.Deserialize<DataProblem>(bytes)).First(problem => problem is not null)!, DataException.VerifyAdvice);
    }

    private StepLoss LaunchStep(Func<Func<TrainingTensors>> next)
    {
        StepLoss loss = parallel.AddGradients(training.Accumulate, training.BatchSize, _ => WeightedLossOf(next()()));
        parallel.Step();
        return loss;
    }

    private StepLoss LaunchGraphs(CapturedStep graph, Func<Func<TrainingTensors>> next)
    {
        (Tensor[], double) NextPart(int part)
        {
            TrainingTensors batch = next()();
            return (batch.ToArray(), SegmentationLoss.Weight(training, batch.Masks));
        }
        return graph.Run(training.Accumulate, training.BatchSize, NextPart, there => LossOf(TrainingTensors.Of(there)));
    }

    private WeightedLoss WeightedLossOf(TrainingTensors batch)
    {
        // While the masks are on the host, so that nothing waits for a GPU.
        double weight = SegmentationLoss.Weight(training, batch.Masks);
        return new WeightedLoss(LossOf(_upload is null ? batch : TrainingTensors.Of(_upload.Copy(batch.ToArray()))), weight);
    }

    private Tensor LossOf(TrainingTensors batch)
    {
        Tensor logits = model.Forward(batch.Pictures, model.TextEncoder.Forward(batch.TokenIds, batch.TokenMask), batch.TokenMask);
        if (batch.AnnotatedRows is { } rows) logits = Ops.Gather(logits, rows);
        return SegmentationLoss.Compute(training, logits, batch.Masks);
    }
}
