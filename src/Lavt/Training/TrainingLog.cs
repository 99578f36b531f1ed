using System.Text.Json;
using System.Text.Json.Serialization;
using Lavt.Nn.Logging;

namespace Lavt.Training;

/// <summary>What one step of the optimizer did.</summary>
public sealed record StepRecord
{
    /// <summary>The number of steps so far, this one included.</summary>
    public required long Step { get; init; }

    /// <summary>The epoch, counted from 0.</summary>
    public required int Epoch { get; init; }

    /// <summary>The loss, averaged over the step's batches.</summary>
    public required double Loss { get; init; }

    /// <summary>The learning rate of this step.</summary>
    public required double LearningRate { get; init; }

    /// <summary>How long the step took, in seconds.</summary>
    public double Seconds { get; init; }

    /// <summary>How much of that was spent waiting for data.</summary>
    public required double DataSeconds { get; init; }

    /// <summary>The process's resident memory in MiB.</summary>
    public long MemoryMib { get; init; }
}

/// <summary>How the model did on the validation split after an epoch.</summary>
public sealed record ValidationRecord
{
    /// <summary>The number of steps so far.</summary>
    public required long Step { get; init; }

    /// <summary>The epoch, counted from 0.</summary>
    public required int Epoch { get; init; }

    /// <summary>Sentences that were evaluated.</summary>
    public required int Sentences { get; init; }

    /// <summary>Mean IoU in percent.</summary>
    public required double MeanIou { get; init; }

    /// <summary>Overall IoU in percent.</summary>
    public required double OverallIou { get; init; }

    /// <summary>J&amp;F of videos in percent; null elsewhere.</summary>
    public double? JAndF { get; init; }

    /// <summary>Whether this is the best overall IoU so far.</summary>
    public required bool IsBest { get; init; }
}

/// <summary>
/// The record of a run: <c>log.txt</c> for people, <c>steps.jsonl</c> and <c>validation.jsonl</c> with one JSON object per line,
/// and a TensorBoard file.
/// </summary>
public sealed class TrainingLog : IDisposable
{
    private static readonly JsonSerializerOptions s_json = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        // A diverged loss is worth a line, too.
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    private readonly StreamWriter _text;
    private readonly StreamWriter _steps;
    private readonly StreamWriter _validation;
    private readonly TensorBoardWriter _events;

    /// <summary>Opens the log of a run in its folder.</summary>
    /// <param name="folder">The run's folder; made if it is missing.</param>
    /// <param name="resumedStep">The step that the run goes on from, 0 for a new one. Lines behind it are dropped: they will be written again.</param>
    public TrainingLog(string folder, long resumedStep)
    {
        Directory.CreateDirectory(folder);
        _text = new StreamWriter(Path.Combine(folder, "log.txt"), append: resumedStep > 0);
        _steps = Open(Path.Combine(folder, "steps.jsonl"), resumedStep);
        _validation = Open(Path.Combine(folder, "validation.jsonl"), resumedStep);
        _events = new TensorBoardWriter(folder);
    }

    /// <summary>Adds a line for people; it gets the time in front.</summary>
    public void Add(string line) => _text.WriteLine($"{DateTime.UtcNow:yyyy-MM-dd HH:mm:ss}Z  {line}");

    /// <summary>Adds a step.</summary>
    public void Add(StepRecord step)
    {
        ArgumentNullException.ThrowIfNull(step);
        _steps.WriteLine(JsonSerializer.Serialize(step, s_json));
        _events.Scalar("train/loss", step.Loss, step.Step);
        _events.Scalar("train/learning_rate", step.LearningRate, step.Step);
        _events.Scalar("train/seconds_per_step", step.Seconds, step.Step);
        _events.Scalar("train/memory_mib", step.MemoryMib, step.Step);
    }

    /// <summary>Adds an evaluation, and hands everything so far to the system.</summary>
    public void Add(ValidationRecord validation)
    {
        ArgumentNullException.ThrowIfNull(validation);
        _validation.WriteLine(JsonSerializer.Serialize(validation, s_json));
        _events.Scalar("val/mean_iou", validation.MeanIou, validation.Step);
        _events.Scalar("val/overall_iou", validation.OverallIou, validation.Step);
        if (validation.JAndF is { } score) _events.Scalar("val/j_and_f", score, validation.Step);
        Flush();
    }

    /// <summary>Hands everything so far to the system.</summary>
    public void Flush()
    {
        _text.Flush();
        _steps.Flush();
        _validation.Flush();
        _events.Flush();
    }

    /// <summary>Reads the steps of a run's folder.</summary>
    public static IReadOnlyList<StepRecord> ReadSteps(string folder) => Read<StepRecord>(Path.Combine(folder, "steps.jsonl"));

    /// <summary>Reads the evaluations of a run's folder.</summary>
    public static IReadOnlyList<ValidationRecord> ReadValidations(string folder) => Read<ValidationRecord>(Path.Combine(folder, "validation.jsonl"));

    /// <inheritdoc/>
    public void Dispose()
    {
        _text.Dispose();
        _steps.Dispose();
        _validation.Dispose();
        _events.Dispose();
    }

    private static T[] Read<T>(string file) =>
        [.. File.ReadLines(file).Select(line => JsonSerializer.Deserialize<T>(line, s_json)!)];

    private static StreamWriter Open(string file, long resumedStep)
    {
        string[] kept = File.Exists(file) && resumedStep > 0
            ? [.. File.ReadLines(file).Where(line => StepOf(line) <= resumedStep)]
            : [];
        var writer = new StreamWriter(file, append: false);
        foreach (string line in kept)
            writer.WriteLine(line);
        return writer;
    }

    /// <summary>The step of a line; a run that was killed may have left half a line, which counts as behind every step.</summary>
    private static long StepOf(string line)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(line);
            return document.RootElement.GetProperty("step").GetInt64();
        }
        catch (JsonException)
        {
            return long.MaxValue;
        }
    }
}
