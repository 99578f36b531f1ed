using System.Globalization;
using System.Text;
using Lavt.Scoring;

namespace Lavt.Evaluation;

/// <summary>What came of an evaluation of videos; <c>--json</c> writes it.</summary>
public sealed record VideoReport
{
    /// <summary>The data set and its split.</summary>
    public required string Dataset { get; init; }

    /// <summary>The file of the weights.</summary>
    public string Checkpoint { get; init; } = "";

    /// <summary>Rows and columns of the model's input.</summary>
    public required int ImageSize { get; init; }

    /// <summary>Frames that the model saw together: 0 for whole videos, 1 for one frame at a time.</summary>
    public required int Window { get; init; }

    /// <summary>Videos that were evaluated.</summary>
    public required int Videos { get; init; }

    /// <summary>Sentences that were evaluated.</summary>
    public required int Sentences { get; init; }

    /// <summary>How long the evaluation took, in seconds.</summary>
    public required double Seconds { get; init; }

    /// <summary>The most memory the process had, in MiB.</summary>
    public required long PeakMemoryMib { get; init; }

    /// <summary>J, F and J&amp;F; null where no true masks are there.</summary>
    public required VideoScores? Scores { get; init; }

    /// <summary>All intersections over all unions, in per cent; 0 where no true masks are there.</summary>
    public required double OverallIou { get; init; }

    /// <summary>Videos and sentences that were left out, and why.</summary>
    public required IReadOnlyList<string> BrokenSamples { get; init; }

    /// <summary>Writes the report as JSON.</summary>
    /// <exception cref="IOException">The file could not be written; one that was there is whole.</exception>
    public void Save(string file) => ReportFile.Save(file, this);

    /// <summary>Reads a report.</summary>
    public static VideoReport Load(string file) => ReportFile.Load<VideoReport>(file);

    /// <summary>The figures for people.</summary>
    public override string ToString()
    {
        string together = Window switch { 0 => "whole videos at once", 1 => "one frame at a time", _ => $"{Window} frames at a time" };
        StringBuilder text = new();
        text.AppendLine(CultureInfo.InvariantCulture, $"{Dataset}: {Sentences} sentences about {Videos} videos, {together}, in {Seconds:F1} s, at most {PeakMemoryMib} MiB");
        if (Scores is null) return text.AppendLine("no true masks are there, so nothing was scored").ToString();
        text.AppendLine(CultureInfo.InvariantCulture, $"{"J",-14}{Scores.J,8:F2}").AppendLine(CultureInfo.InvariantCulture, $"{"F",-14}{Scores.F,8:F2}");
        text.AppendLine(CultureInfo.InvariantCulture, $"{"J&F",-14}{Scores.JAndF,8:F2}").AppendLine(CultureInfo.InvariantCulture, $"{"overall IoU",-14}{OverallIou,8:F2}");
        return text.ToString();
    }
}
