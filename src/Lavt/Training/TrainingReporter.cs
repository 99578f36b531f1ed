using System.Diagnostics;
using System.Globalization;
using Lavt.Evaluation;
using Lavt.Options;

namespace Lavt.Training;

/// <summary>Tells the observer, and writes to the log, what a run does; silent on all devices but the first.</summary>
internal sealed class TrainingReporter : IDisposable
{
    private readonly TrainingOptions _training;
    private readonly ITrainingObserver? _observer;
    private readonly TrainingLog? _log;
    private readonly int _stepsPerEpoch;
    private readonly long _firstStep;
    private readonly Stopwatch _running = Stopwatch.StartNew();
    private long _lastCompleted;

    /// <summary>Opens the log.</summary>
    /// <param name="training">The run.</param>
    /// <param name="observer">Is told; null on devices that are not heard.</param>
    /// <param name="logFolder">The folder of the log.</param>
    /// <param name="stepsPerEpoch">Steps of an epoch.</param>
    /// <param name="firstStep">The steps that were made before.</param>
    public TrainingReporter(TrainingOptions training, ITrainingObserver? observer, string logFolder, int stepsPerEpoch, long firstStep)
    {
        (_training, _observer, _stepsPerEpoch, _firstStep) = (training, observer, stepsPerEpoch, firstStep);
        if (observer is not null) _log = new TrainingLog(logFolder, firstStep);
    }

    /// <summary>Adds a line.</summary>
    public void Say(string line)
    {
        _log?.Add(line);
        _observer?.Line(line);
    }

    /// <summary>Reports a step whose loss is known by now.</summary>
    /// <param name="step">The step.</param>
    /// <param name="inEpoch">Its number in its epoch, from 1.</param>
    /// <param name="started">When it was begun (<see cref="Stopwatch.GetTimestamp"/>).</param>
    public void Add(StepRecord step, int inEpoch, long started)
    {
        // On a GPU steps overlap with the one before and the one behind: what counts is the time from the end of one to that of the next.
        step = step with { Seconds = Stopwatch.GetElapsedTime(Math.Max(started, _lastCompleted)).TotalSeconds, MemoryMib = ProcessMemory.CurrentMiB };
        _lastCompleted = Stopwatch.GetTimestamp();
        _log?.Add(step);
        long total = (long)_training.Epochs * _stepsPerEpoch;
        TimeSpan remaining = _running.Elapsed / (step.Step - _firstStep) * (total - step.Step);
        string stage = $"epoch {step.Epoch + 1}/{_training.Epochs}";
        _observer?.Progress(new TrainingProgress(stage, inEpoch, _stepsPerEpoch, step.Loss, remaining));
        if (step.Step % _training.PrintEvery != 0) return;
        Say(string.Create(CultureInfo.InvariantCulture,
            $"{stage}  step {inEpoch}/{_stepsPerEpoch}  loss {step.Loss:F4}  lr {step.LearningRate:0.###E+0}  {step.Seconds:F2} s  data {step.DataSeconds:F2} s  {step.MemoryMib} MiB  eta {remaining:d\\.hh\\:mm\\:ss}"));
    }

    /// <summary>Reports how far a validation is.</summary>
    public void AddValidated(int done, int total) => _observer?.Progress(new TrainingProgress("validation", done, total, null, null));

    /// <summary>Reports a validation.</summary>
    public void Add(long step, int epoch, ValidationResult result, bool isBest)
    {
        foreach (string broken in result.BrokenSamples)
            Say("left out: " + broken);
        string video = result.JAndF is { } score ? string.Create(CultureInfo.InvariantCulture, $"  J&F {score:F2}") : "";
        Say(string.Create(CultureInfo.InvariantCulture,
            $"epoch {epoch + 1}  val mean IoU {result.MeanIou:F2}  overall IoU {result.OverallIou:F2}{video}{(isBest ? "  best so far" : "")}  {result.Seconds:F1} s"));
        _log?.Add(new ValidationRecord
        {
            Step = step,
            Epoch = epoch,
            Sentences = result.Sentences,
            MeanIou = result.MeanIou,
            OverallIou = result.OverallIou,
            JAndF = result.JAndF,
            IsBest = isBest,
        });
    }

    /// <inheritdoc/>
    public void Dispose() => _log?.Dispose();
}
