using System.Diagnostics;
using System.Globalization;
using Lavt.Autograd;
using Lavt.Data;
using Lavt.Evaluation;
using Lavt.Losses;
using Lavt.Models;
using Lavt.Nn;
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
    /// <exception cref="OptionException">A flag is wrong.</exception>
    /// <exception cref="DataException">The data set is missing or broken.</exception>
    /// <exception cref="Nn.Weights.WeightFileException">A weight file is missing or broken, or does not fit.</exception>
    public Trainer(LavtOptions options, ITrainingObserver observer, string logRoot = "models")
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Machine.RequireTrainable();
        TrainingOptions training = options.Training;
        _observer = observer;
        using MemoryScope scope = MemoryScope.Begin();
        LavtCheckpoint? checkpoint = options.Weights.Resume.Length > 0 ? LavtCheckpoint.Read(TrainedModel.Existing(options.Weights.Resume), withOptimizer: true) : null;
        _model = checkpoint is null ? ModelStart.New(options) : ModelStart.Resume(checkpoint, options);
        _options = options with { Model = _model.Options };

        _data = TrainingData.Open(_options, ReferDatasets.LoadTokenizer(options.Data, _model.Options.Bert));
        _stepsPerEpoch = StepsPerEpoch(_data.Count);

        _schedule = new PolynomialSchedule(training.LearningRate, (long)training.Epochs * _stepsPerEpoch, training.FixedLearningRate ? 0 : 0.9);
        _optimizer = new AdamW(
            ParameterGroups.Of(_model, training.TrainedLanguage, training.WeightDecay), training.LearningRate, amsgrad: training.AmsGrad);
        ParameterGroups.Freeze(_model, _optimizer);
        _position = checkpoint is null ? new TrainingPosition() : TrainingCheckpoint.Restore(checkpoint, _optimizer);
        _firstStep = _position.Step;
        _files = new RunFiles(training, logRoot);
    }

    /// <summary>The files that the run writes.</summary>
    public RunFiles Files => _files;

    private ulong Seed => (ulong)_options.Training.Seed;

    private int BatchesPerEpoch => _stepsPerEpoch * _options.Training.Accumulate;

    /// <summary>Trains until the last epoch, or until a stop is asked for; then a checkpoint is written first.</summary>
    /// <exception cref="DivergedException">The loss is no longer a number.</exception>
    /// <exception cref="IOException">A checkpoint could not be written; the one before is whole.</exception>
    public TrainingResult Run(CancellationToken stop)
    {
        _files.RemoveLeftovers();
        using var log = new TrainingLog(_files.LogFolder, _position.Step);
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

    private TrainingResult Stop(TrainingLog log)
    {
        Save(_files.Last);
        Say(log, $"stopped at step {_position.Step}; go on with --resume {_files.Last}");
        return Result(isFinished: false);
    }

    private int StepsPerEpoch(int samples)
    {
        TrainingOptions training = _options.Training;
        int steps = samples / training.BatchSize / training.Accumulate;
        return steps > 0
            ? steps
            : throw new OptionException("--batch-size", $"{training.Accumulate} x {training.BatchSize} samples per step are more than the {samples} of the split; lower --batch-size or --accumulate");
    }

    /// <summary>Keeps these numbers apart from those that made the weights.</summary>
    private static ulong DropoutSeed(ulong seed) => seed ^ 0x74756F_706F7244UL;

    private TrainingResult Result(bool isFinished) => new(isFinished, _files.Last, _files.Best, _position.BestOverallIou);

    /// <summary>Makes the steps that the epoch still lacks; false if a stop was asked for.</summary>
    private bool TrainEpoch(TrainingLog log, CancellationToken stop)
    {
        _model.SetMode(training: true);
        using IEnumerator<Func<TrainingTensors>> batches = _data.Read(Seed, _position.Epoch, _position.Batch).GetEnumerator();
        while (_position.Batch < BatchesPerEpoch)
        {
            if (stop.IsCancellationRequested)
                return false;
            StepRecord step = Step(batches);
            _position = _position with
            {
                Batch = _position.Batch + _options.Training.Accumulate,
                Step = step.Step,
                NextRandom = Generator.Current.Next,
            };
            log.Add(step);
            Report(log, step);
        }
        return true;
    }

    private StepRecord Step(IEnumerator<Func<TrainingTensors>> batches)
    {
        long started = Stopwatch.GetTimestamp(), waited = 0;
        double loss = 0;
        _optimizer.LearningRate = _schedule.Rate(_position.Step);
        for (int i = 0; i < _options.Training.Accumulate; i++)
        {
            long before = Stopwatch.GetTimestamp();
            batches.MoveNext();
            waited += Stopwatch.GetTimestamp() - before;
            loss += AddGradients(batches.Current) / _options.Training.Accumulate;
        }
        long step = _position.Step + 1;
        if (!double.IsFinite(loss))
            throw new DivergedException(step, loss, File.Exists(_files.Last) ? _files.Last : null);
        _optimizer.Step();
        _model.ClearGradients();
        _model.TextEncoder.ClearGradients();
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

    /// <summary>Forward and backward pass of one batch; returns its loss.</summary>
    private double AddGradients(Func<TrainingTensors> read)
    {
        using MemoryScope scope = MemoryScope.Begin();
        using Tape tape = Tape.Begin();
        TrainingTensors batch = read();
        Tensor logits = _model.Forward(batch.Pictures, _model.TextEncoder.Forward(batch.TokenIds, batch.TokenMask), batch.TokenMask);
        if (batch.AnnotatedRows is { } rows) logits = Ops.Gather(logits, rows);
        Tensor loss = SegmentationLoss.Compute(_options.Training, logits, batch.Masks);
        double value = loss.Item<float>();
        tape.Backward(_options.Training.Accumulate == 1 ? loss : Ops.Scale(loss, 1.0 / _options.Training.Accumulate));
        return value;
    }

    /// <summary>Evaluates and saves; false if a stop was asked for, then the epoch counts as not finished.</summary>
    private bool FinishEpoch(TrainingLog log, CancellationToken stop)
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
        Save(file);
        RunFiles.Link(file, _files.Last);
        if (isBest)
            RunFiles.Link(file, _files.Best);
        _files.Prune();
        return true;
    }

    private ValidationResult? Validate(CancellationToken stop)
    {
        try
        {
            return _data.Validate(_model, (done, total) => _observer.Progress(new TrainingProgress("validation", done, total, null, null)), stop);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    private void Save(string file) => TrainingCheckpoint.Save(file, _model, _optimizer, _position, _options);

    private void Introduce(TrainingLog log)
    {
        long parameters = _optimizer.Parameters.Sum(parameter => parameter.Value.Count);
        Say(log, _data.Description);
        Say(log, string.Create(CultureInfo.InvariantCulture, $"{parameters / 1e6:F1} million parameters are trained, {_options.Training.Epochs} epochs of {_stepsPerEpoch} steps"));
        if (_position.Step > 0)
            Say(log, $"going on behind step {_position.Step} of {_options.Weights.Resume}");
    }

    private void Report(TrainingLog log, StepRecord step)
    {
        long total = (long)_options.Training.Epochs * _stepsPerEpoch;
        TimeSpan remaining = _running.Elapsed / (step.Step - _firstStep) * (total - step.Step);
        int inEpoch = _position.Batch / _options.Training.Accumulate;
        string stage = $"epoch {step.Epoch + 1}/{_options.Training.Epochs}";
        _observer.Progress(new TrainingProgress(stage, inEpoch, _stepsPerEpoch, step.Loss, remaining));
        if (step.Step % _options.Training.PrintEvery != 0)
            return;
        Say(log, string.Create(CultureInfo.InvariantCulture,
            $"{stage}  step {inEpoch}/{_stepsPerEpoch}  loss {step.Loss:F4}  lr {step.LearningRate:0.###E+0}  {step.Seconds:F2} s  data {step.DataSeconds:F2} s  {step.MemoryMib} MiB  eta {remaining:d\\.hh\\:mm\\:ss}"));
    }

    private void Log(TrainingLog log, int epoch, ValidationResult result, bool isBest)
    {
        foreach (string broken in result.BrokenSamples)
            Say(log, "left out: " + broken);
        string video = result.JAndF is { } score ? string.Create(CultureInfo.InvariantCulture, $"  J&F {score:F2}") : "";
        Say(log, string.Create(CultureInfo.InvariantCulture,
            $"epoch {epoch + 1}  val mean IoU {result.MeanIou:F2}  overall IoU {result.OverallIou:F2}{video}{(isBest ? "  best so far" : "")}  {result.Seconds:F1} s"));
        log.Add(new ValidationRecord
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

    private void Say(TrainingLog log, string line)
    {
        log.Add(line);
        _observer.Line(line);
    }
}
