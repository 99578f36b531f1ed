using Lavt.Data;
using Lavt.Evaluation;
using Lavt.Models;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Text;

namespace Lavt.Training;

/// <summary>Pictures of the REFER data sets: a random sentence of each object in an epoch, all sentences in validation.</summary>
internal sealed class PictureTrainingData : ITrainingData
{
    private readonly LavtOptions _options;
    private readonly CollectiveQueue _devices;
    private readonly ReferDataset _training;
    private readonly ReferDataset _validation;
    private readonly BatchLoader _loader;

    /// <summary>Opens the splits train and val.</summary>
    /// <exception cref="DataException">A file is missing or broken.</exception>
    public PictureTrainingData(LavtOptions options, BertTokenizer tokenizer, CollectiveQueue devices)
    {
        (_options, _devices) = (options, devices);
        _training = ReferDatasets.Open(options.Data, "train", tokenizer);
        _validation = ReferDatasets.Open(options.Data, "val", tokenizer);
        _loader = new BatchLoader(_training, options.Training.BatchSize, options.Data.Workers);
    }

    /// <inheritdoc/>
    public string Description => $"{_training.Name} ({_training.SplitBy}): {_training.Count} objects to train on, {_validation.Count} to validate on";

    /// <inheritdoc/>
    public int Count => Math.Min(_training.Count, _options.Training.LimitTrain ?? int.MaxValue);

    /// <inheritdoc/>
    public bool CanValidate => true;

    /// <inheritdoc/>
    public IEnumerable<Func<TrainingTensors>> Read(ulong seed, int epoch, int firstBatch) =>
        _loader.Read(ShareOf(Limited(_training.TrainingPlan(seed, epoch), _options.Training.LimitTrain)), dropLast: true, firstBatch)
            .Select(batch => (Func<TrainingTensors>)(() => new TrainingTensors(
                BatchTensors.Pictures(batch), BatchTensors.TokenIds(batch), BatchTensors.TokenMask(batch), BatchTensors.Masks(batch))));

    /// <inheritdoc/>
    public ValidationResult Validate(LavtModel model, Action<int, int> progress, CancellationToken stop)
    {
        var evaluator = new Evaluator(model, _validation, _options.Training.BatchSize, _options.Data.Workers) { Devices = _devices, Progress = progress };
        EvaluationReport report = evaluator.Run(Limited(_validation.EvaluationPlan(), _options.Training.LimitValidation), stop);
        return new ValidationResult(report.Results.Count, report.Scores.MeanIou, report.Scores.OverallIou, null, report.Seconds, report.BrokenSamples);
    }

    private SampleChoice[] ShareOf(SampleChoice[] plan) => PlanShare.OfBatches(plan, _options.Training.BatchSize, _devices.Rank, _devices.Size);

    /// <summary>The items of the first samples.</summary>
    private static SampleChoice[] Limited(SampleChoice[] plan, int? samples) =>
        samples is { } limit ? [.. plan.Where(choice => choice.Sample < limit)] : plan;
}
