using System.Globalization;
using Lavt.Autograd;
using Lavt.Data;
using Lavt.Evaluation;
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
    private readonly LossScaler? _scaler;
    private readonly PolynomialSchedule _schedule;
    private readonly Queue<LaunchedStep> _launched = [];
    private readonly int _stepsPerEpoch;
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
        options = options with { Machine = options.Machine.ForTraining(options.Training.MixedPrecision) };
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
        options.Machine.PrepareForTraining(_model);

        _data = TrainingData.Open(_options, ReferDatasets.LoadTokenizer(options.Data, _model.Options.Bert), _devices);
        _stepsPerEpoch = StepsPerEpoch(_data.Count);

        _schedule = new PolynomialSchedule(training.LearningRate, (long)training.Epochs * _stepsPerEpoch, training.FixedLearningRate ? 0 : 0.9);
        _optimizer = new AdamW(
            ParameterGroups.Of(_model, training.TrainedLanguage, training.WeightDecay), training.LearningRate, amsgrad: training.AmsGrad);
        ParameterGroups.Freeze(_model, _optimizer);
        _scaler = options.Machine.Precision == Precision.Float16 ? new LossScaler(_model.Device) : null;
        _position = checkpoint is null ? new TrainingPosition() : TrainingCheckpoint.Restore(checkpoint, _optimizer, _scaler);
        RequireOnePosition();
        DataParallel.ShareState(_devices, _model);
        if (_model.Options.Model == ModelKind.Lavt)
            DataParallel.ShareState(_devices, _model.TextEncoder);
        _parallel = new DataParallel(_devices, _optimizer, training.ShardOptimizer, scaler: _scaler);
    }

    private bool IsFirst => _devices.Rank == 0;

    private ulong Seed => (ulong)_options.Training.Seed;

    private int BatchesPerEpoch => _stepsPerEpoch * _options.Training.Accumulate;

    /// <summary>The steps that may be under way when their losses are read: the host prepares the next one while a GPU computes.</summary>
    private int MostUnderWay => _model.Device.IsCuda ? 1 : 0;

    /// <summary>Trains until the last epoch, or until a stop is asked for; then a checkpoint is written first.</summary>
    /// <exception cref="DivergedException">The loss is no longer a number.</exception>
    /// <exception cref="IOException">A checkpoint could not be written; the one before is whole.</exception>
    public TrainingResult Run(CancellationToken stop)
    {
        if (IsFirst)
            _files.RemoveLeftovers();
        using TrainingReporter report = new(_options.Training, IsFirst ? _observer : null, _files.LogFolder, _stepsPerEpoch, _position.Step);
        Introduce(report);
        using TrainingSteps steps = new(_options.Training, _model, _devices, _parallel, _optimizer, _scaler);
        Generator.Current = new RandomSource(DropoutSeed(Seed), _position.NextRandom);
        try
        {
            while (_position.Epoch < _options.Training.Epochs)
            {
                if (!TrainEpoch(steps, report, stop) || !FinishEpoch(report, stop))
                    return Stop(report);
            }
        }
        catch (DataException)
        {
            // What has been learnt since the last epoch is not lost to one broken picture.
            Stop(report);
            throw;
        }
        return Result(isFinished: true);
    }

    private TrainingResult Stop(TrainingReporter report)
    {
        Complete(report, underWay: 0);
        _parallel.Save(() => Save(_files.Last));
        report.Say($"stopped at step {_position.Step}; go on with --resume {_files.Last}");
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
    private bool TrainEpoch(TrainingSteps steps, TrainingReporter report, CancellationToken stop)
    {
        _model.SetMode(training: true);
        using IEnumerator<Func<TrainingTensors>> batches = _data.Read(Seed, _position.Epoch, _position.Batch).GetEnumerator();
        while (_position.Batch < BatchesPerEpoch)
        {
            if (_devices.Any(stop.IsCancellationRequested))
                return false;
            _optimizer.LearningRate = _schedule.Rate(_position.Step);
            _launched.Enqueue(steps.Make(batches, _position, _optimizer.LearningRate));
            _position = _position with
            {
                Batch = _position.Batch + _options.Training.Accumulate,
                Step = _position.Step + 1,
                NextRandom = Generator.Current.Next,
            };
            Complete(report, MostUnderWay);
        }
        Complete(report, underWay: 0);
        return true;
    }

    /// <summary>Reads the losses of the steps but for the last ones, and reports them.</summary>
    private void Complete(TrainingReporter report, int underWay)
    {
        while (_launched.Count > underWay)
        {
            LaunchedStep step = _launched.Dequeue();
            double loss = step.Loss.Read();
            if (!double.IsFinite(loss))
                throw new DivergedException(step.Record.Step, loss, File.Exists(_files.Last) ? _files.Last : null);
            report.Add(step.Record with { Loss = loss }, step.InEpoch, step.Started);
        }
    }

    /// <summary>All devices must have found the same checkpoint.</summary>
    private void RequireOnePosition()
    {
        long[] steps = [.. _devices.Gather(BitConverter.GetBytes(_position.Step)).Select(bytes => BitConverter.ToInt64(bytes))];
        if (steps.Any(step => step != steps[0]))
            throw new OptionException("--resume", $"the devices found checkpoints of different steps ({string.Join(", ", steps)}); --output-dir must be a folder that all hosts share");
    }

    /// <summary>Evaluates and saves; false if a stop was asked for, then the epoch counts as not finished.</summary>
    private bool FinishEpoch(TrainingReporter report, CancellationToken stop)
    {
        int epoch = _position.Epoch;
        bool isBest = false;
        double best = _position.BestOverallIou;
        bool isDue = (epoch + 1) % _options.Training.ValidateEvery == 0 || epoch + 1 == _options.Training.Epochs;
        if (isDue && _data.CanValidate)
        {
            if (Validate(report, stop) is not { } result)
                return false;
            isBest = result.OverallIou > best;
            best = Math.Max(best, result.OverallIou);
            report.Add(_position.Step, epoch, result, isBest);
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

    private ValidationResult? Validate(TrainingReporter report, CancellationToken stop)
    {
        try
        {
            return _data.Validate(_model, report.AddValidated, stop);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
    }

    private void Save(string file) => TrainingCheckpoint.Save(file, _model, _optimizer, _scaler, _position, _options);

    private void Introduce(TrainingReporter report)
    {
        long parameters = _optimizer.Parameters.Sum(parameter => parameter.Value.Count);
        report.Say(_data.Description + (_devices.Size > 1 ? $", on {_devices.Size} devices" : _model.Device.IsCuda ? $", on {_model.Device}" : ""));
        report.Say(string.Create(CultureInfo.InvariantCulture, $"{parameters / 1e6:F1} million parameters are trained, {_options.Training.Epochs} epochs of {_stepsPerEpoch} steps"));
        if (_position.Step > 0)
            report.Say($"going on behind step {_position.Step} of {_options.Weights.Resume}");
    }
}
