using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Lavt.Autograd;
using Lavt.Data;
using Lavt.Evaluation;
using Lavt.Losses;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Weights;

namespace Lavt.Training;

/// <summary>
/// Trains a model: epochs over pictures or clips, an evaluation of the validation split and a checkpoint after each. A run that was stopped goes on from its checkpoint with the same bits as one that was not.
/// </summary>
public sealed class Trainer
{
    private readonly LavtOptions _options;
    private readonly ITrainingObserver _observer;
    private readonly RunFiles _files;
    private readonly ITrainingData _data;
    private readonly LavtModel _model;
    private readonly CollectiveQueue _devices;
    private readonly DataParallel _parallel;
    private readonly AdamW _optimizer;
    private readonly PolynomialSchedule _schedule;
    private readonly int _stepsPerEpoch;
    private readonly Stopwatch _running = new();
    private readonly long _firstStep;
    private TrainingPosition _position;

    /// <summary>Opens data and weights.</summary>
    /// <param name="options">The command line.</param>
    /// <param name="observer">Is told what happens.</param>
    /// <param name="logRoot">The folder in which the run gets one for its logs.</param>
    /// <param name="devices">The devices that share every batch; each has a trainer, and the first one writes files and is heard. One device if not given.</param>
    /// <exception cref="OptionException">A flag is wrong.</exception>
    /// <exception cref="DataException">The data set is missing or broken.</exception>
    /// <exception cref="Nn.Weights.WeightFileException">A weight file is missing or broken, or does not fit.</exception>
    public Trainer(LavtOptions options, ITrainingObserver observer, string logRoot = "models", CollectiveQueue? devices = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Machine.RequireTrainable();
        TrainingOptions training = options.Training;
        _devices = devices ?? CollectiveQueue.Single;
        _observer = observer;
        _files = new RunFiles(training, logRoot);
        if (options.Weights.Resume == WeightOptions.Auto)
            options = options with { Weights = options.Weights with { Resume = File.Exists(_files.Last) ? _files.Last : "" } };
        using MemoryScope scope = MemoryScope.Begin();
        LavtCheckpoint? checkpoint = options.Weights.Resume.Length > 0 ? LavtCheckpoint.Read(TrainedModel.Existing(options.Weights.Resume), withOptimizer: true) : null;
        _model = checkpoint is null ? ModelStart.New(options) : ModelStart.Resume(checkpoint, options);
        _options = options with { Model = _model.Options };

        _data = TrainingData.Open(_options, ReferDatasets.LoadTokenizer(options.Data, _model.Options.Bert), _devices);
        _stepsPerEpoch = StepsPerEpoch(_data.Count);

        _schedule = new PolynomialSchedule(training.LearningRate, (long)training.Epochs * _stepsPerEpoch, training.FixedLearningRate ? 0 : 0.9);
        _optimizer = new AdamW(
            ParameterGroups.Of(_model, training.TrainedLanguage, training.WeightDecay), training.LearningRate, amsgrad: training.AmsGrad);
        ParameterGroups.Freeze(_model, _optimizer);
        _position = checkpoint is null ? new TrainingPosition() : TrainingCheckpoint.Restore(checkpoint, _optimizer);
        _firstStep = _position.Step;
        RequireOnePosition();
        DataParallel.ShareState(_devices, _model);
        if (_model.Options.Model == ModelKind.Lavt)
            DataParallel.ShareState(_devices, _model.TextEncoder);
        _parallel = new DataParallel(_devices, _optimizer, training.ShardOptimizer);
    }

    /// <summary>The files that the run writes.</summary>
    public RunFiles Files => _files;

    private bool IsFirst => _devices.Rank == 0;

    private ulong Seed => (ulong)_options.Training.Seed;

    private int BatchesPerEpoch => _stepsPerEpoch * _options.Training.Accumulate;

    /// <summary>Trains until the last epoch, or until a stop is asked for; then a checkpoint is written first.</summary>
    /// <exception cref="DivergedException">The loss is no longer a number.</exception>
    /// <exception cref="IOException">A checkpoint could not be written; the one before is whole.</exception>
    public TrainingResult Run(CancellationToken stop)
    {
        if (IsFirst)
            _files.RemoveLeftovers();
        using TrainingLog? log = IsFirst ? new TrainingLog(_files.LogFolder, _position.Step) : null;
        Introduce(log);
        Generator.Current = new RandomSource(DropoutSeed(Seed), _position.NextRandom);
        _running.Start();
        try
        {
            while (_position.Epoch < _options.Training.Epochs)
            {
                if (!TrainEpoch(log, stop) || !FinishEpoch(log, stop))
                    return Stop(log);
            }
        }
        catch (DataException)
        {
            // What has been learnt since the last epoch is not lost to one broken picture.
            Stop(log);
            throw;
        }
        return Result(isFinished: true);
    }

    private TrainingResult Stop(TrainingLog? log)
    {
        _parallel.Save(() => Save(_files.Last));
        Say(log, $"stopped at step {_position.Step}; go on with --resume {_files.Last}");
        return Result(isFinished: false);
    }

    private int StepsPerEpoch(int samples)
    {
        TrainingOptions training = _options.Training;
        int steps = samples / (training.BatchSize * _devices.Size) / training.Accumulate;
        return steps > 0
            ? steps
            : throw new OptionException("--batch-size", $"{training.Accumulate} x {training.BatchSize * _devices.Size} samples per step are more than the {samples} of the split; lower --batch-size or --accumulate");
    }

    /// <summary>Keeps these numbers apart from those that made the weights.</summary>
    private static ulong DropoutSeed(ulong seed) => seed ^ 0x74756F_706F7244UL;

    private TrainingResult Result(bool isFinished) => new(isFinished, _files.Last, _files.Best, _position.BestOverallIou);

    /// <summary>Makes the steps that the epoch still lacks; false if a stop was asked for.</summary>
    private bool TrainEpoch(TrainingLog? log, CancellationToken stop)
    {
        _model.SetMode(training: true);
        using IEnumerator<Func<TrainingTensors>> batches = _data.Read(Seed, _position.Epoch, _position.Batch).GetEnumerator();
        while (_position.Batch < BatchesPerEpoch)
        {
            if (_devices.Any(stop.IsCancellationRequested))
                return false;
            StepRecord step = Step(batches);
            _position = _position with
            {
                Batch = _position.Batch + _options.Training.Accumulate,
                Step = step.Step,
                NextRandom = Generator.Current.Next,
            };
            log?.Add(step);
            Report(log, step);
        }
        return true;
    }

    private StepRecord Step(IEnumerator<Func<TrainingTensors>> batches)
    {
        long started = Stopwatch.GetTimestamp(), waited = 0;
        _optimizer.LearningRate = _schedule.Rate(_position.Step);
        double loss = _parallel.AddGradients(_options.Training.Accumulate, _options.Training.BatchSize, _ =>
        {
            long before = Stopwatch.GetTimestamp();
            Func<TrainingTensors> read = Next(batches);
            waited += Stopwatch.GetTimestamp() - before;
            return LossOf(read());
        });
        long step = _position.Step + 1;
        if (!double.IsFinite(loss))
            throw new DivergedException(step, loss, File.Exists(_files.Last) ? _files.Last : null);
        _parallel.Step();
        return new StepRecord
        {
            Step = step,
            Epoch = _position.Epoch,
            Loss = loss,
            LearningRate = _optimizer.LearningRate,
            Seconds = Stopwatch.GetElapsedTime(started).TotalSeconds,
            DataSeconds = (double)waited / Stopwatch.Frequency,
            MemoryMib = ProcessMemory.CurrentMiB,
        };
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
        if (!_devices.Any(failure is not null))
            return batches.Current;
        IEnumerable<byte[]> failures = _devices.Gather(JsonSerializer.SerializeToUtf8Bytes(failure?.Problem));
        throw failure ?? new DataException(failures.Select(bytes => JsonSerializer.Deserialize<DataProblem>(bytes)).First(problem => problem is not null)!, DataException.VerifyAdvice);
    }

    private WeightedLoss LossOf(TrainingTensors batch)
    {
        Tensor logits = _model.Forward(batch.Pictures, _model.TextEncoder.Forward(batch.TokenIds, batch.TokenMask), batch.TokenMask);
        if (batch.AnnotatedRows is { } rows) logits = Ops.Gather(logits, rows);
        return new WeightedLoss(SegmentationLoss.Compute(_options.Training, logits, batch.Masks), SegmentationLoss.Weight(_options.Training, batch.Masks));
    }

    /// <summary>All devices must have found the same checkpoint.</summary>
    private void RequireOnePosition()
    {
        long[] steps = [.. _devices.Gather(BitConverter.GetBytes(_position.Step)).Select(bytes => BitConverter.ToInt64(bytes))];
        if (steps.Any(step => step != steps[0]))
            throw new OptionException("--resume", $"the devices found checkpoints of different steps ({string.Join(", ", steps)}); --output-dir must be a folder that all hosts share");
    }

    /// <summary>Evaluates and saves; false if a stop was asked for, then the epoch counts as not finished.</summary>
    private bool FinishEpoch(TrainingLog? log, CancellationToken stop)
    {
        int epoch = _position.Epoch;
        bool isBest = false;
        double best = _position.BestOverallIou;
        bool isDue = (epoch + 1) % _options.Training.ValidateEvery == 0 || epoch + 1 == _options.Training.Epochs;
        if (isDue && _data.CanValidate)
        {
            if (Validate(stop) is not { } result)
                return false;
            isBest = result.OverallIou > best;
            best = Math.Max(best, result.OverallIou);
            Log(log, epoch, result, isBest);
        }
        _position = _position with { Epoch = epoch + 1, Batch = 0, BestOverallIou = best };
        string file = _files.OfEpoch(epoch);
        _parallel.Save(() =>
        {
            Save(file);
            RunFiles.Link(file, _files.Last);
            if (isBest)
                RunFiles.Link(file, _files.Best);
            _files.Prune();
        });
        return true;
    }

    private ValidationResult? Validate(CancellationToken stop)
    {
        try
        {
            return _data.Validate(_model, ReportValidation, stop);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    private void ReportValidation(int done, int total)
    {
        if (IsFirst)
            _observer.Progress(new TrainingProgress("validation", done, total, null, null));
    }

    private void Save(string file) => TrainingCheckpoint.Save(file, _model, _optimizer, _position, _options);

    private void Introduce(TrainingLog? log)
    {
        long parameters = _optimizer.Parameters.Sum(parameter => parameter.Value.Count);
        Say(log, _data.Description + (_devices.Size > 1 ? $", on {_devices.Size} devices" : ""));
        Say(log, string.Create(CultureInfo.InvariantCulture, $"{parameters / 1e6:F1} million parameters are trained, {_options.Training.Epochs} epochs of {_stepsPerEpoch} steps"));
        if (_position.Step > 0)
            Say(log, $"going on behind step {_position.Step} of {_options.Weights.Resume}");
    }

    private void Report(TrainingLog? log, StepRecord step)
    {
        long total = (long)_options.Training.Epochs * _stepsPerEpoch;
        TimeSpan remaining = _running.Elapsed / (step.Step - _firstStep) * (total - step.Step);
        int inEpoch = _position.Batch / _options.Training.Accumulate;
        string stage = $"epoch {step.Epoch + 1}/{_options.Training.Epochs}";
        if (IsFirst)
            _observer.Progress(new TrainingProgress(stage, inEpoch, _stepsPerEpoch, step.Loss, remaining));
        if (step.Step % _options.Training.PrintEvery != 0)
            return;
        Say(log, string.Create(CultureInfo.InvariantCulture,
            $"{stage}  step {inEpoch}/{_stepsPerEpoch}  loss {step.Loss:F4}  lr {step.LearningRate:0.###E+0}  {step.Seconds:F2} s  data {step.DataSeconds:F2} s  {step.MemoryMib} MiB  eta {remaining:d\\.hh\\:mm\\:ss}"));
    }

    private void Log(TrainingLog? log, int epoch, ValidationResult result, bool isBest)
    {
        foreach (string broken in result.BrokenSamples)
            Say(log, "left out: " + broken);
        string video = result.JAndF is { } score ? string.Create(CultureInfo.InvariantCulture, $"  J&F {score:F2}") : "";
        Say(log, string.Create(CultureInfo.InvariantCulture,
            $"epoch {epoch + 1}  val mean IoU {result.MeanIou:F2}  overall IoU {result.OverallIou:F2}{video}{(isBest ? "  best so far" : "")}  {result.Seconds:F1} s"));
        log?.Add(new ValidationRecord
        {
            Step = _position.Step,
            Epoch = epoch,
            Sentences = result.Sentences,
            MeanIou = result.MeanIou,
            OverallIou = result.OverallIou,
            JAndF = result.JAndF,
            IsBest = isBest,
        });
    }

    private void Say(TrainingLog? log, string line)
    {
        if (log is null)
            return;
        log.Add(line);
        _observer.Line(line);
    }
}
