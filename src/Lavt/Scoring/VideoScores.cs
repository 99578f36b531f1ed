using System.Globalization;
using System.Text;
using Lavt.Evaluation;

namespace Lavt.Scoring;

/// <summary>How well the masks of one sentence, or of one object, fit the truth. All figures are in per cent.</summary>
/// <param name="Expression">The sentence's key, or the object's number.</param>
/// <param name="Frames">The number of frames that were compared.</param>
/// <param name="J">The mean intersection over union; 100 where both masks are empty.</param>
/// <param name="F">The mean boundary measure.</param>
/// <param name="JAndF">The mean of the two.</param>
public sealed record ExpressionScore(string Expression, int Frames, double J, double F, double JAndF);

/// <summary>The scores of a video.</summary>
/// <param name="Video">Its name.</param>
/// <param name="J">The mean over its sentences.</param>
/// <param name="F">The mean over its sentences.</param>
/// <param name="JAndF">The mean of the two.</param>
/// <param name="Expressions">The sentences.</param>
public sealed record VideoScore(string Video, double J, double F, double JAndF, IReadOnlyList<ExpressionScore> Expressions)
{
    /// <summary>The scores of a video from those of its sentences.</summary>
    public static VideoScore Of(string video, IReadOnlyList<ExpressionScore> expressions) =>
        new(video, expressions.Average(e => e.J), expressions.Average(e => e.F), expressions.Average(e => e.JAndF), expressions);
}

/// <summary>The scores of a whole set of videos.</summary>
public sealed record VideoScores
{
    /// <summary>What was scored: ytvos or davis.</summary>
    public required string Dataset { get; init; }

    /// <summary>The number of sentences.</summary>
    public required int Expressions { get; init; }

    /// <summary>The mean of J over all sentences.</summary>
    public required double J { get; init; }

    /// <summary>The mean of F over all sentences.</summary>
    public required double F { get; init; }

    /// <summary>The mean of the two.</summary>
    public required double JAndF { get; init; }

    /// <summary>The videos.</summary>
    public required IReadOnlyList<VideoScore> Videos { get; init; }

    /// <summary>Predictions that are missing or cannot be compared; their frames count as 0.</summary>
    public required IReadOnlyList<string> Missing { get; init; }

    /// <summary>Predictions that nothing is known about; they change no score.</summary>
    public required IReadOnlyList<string> Surplus { get; init; }

    /// <summary>The scores of all videos together.</summary>
    internal static VideoScores Of(string dataset, IReadOnlyList<VideoScore> videos, IReadOnlyList<string> missing, IReadOnlyList<string> surplus)
    {
        ExpressionScore[] all = [.. videos.SelectMany(video => video.Expressions)];
        return new VideoScores
        {
            Dataset = dataset,
            Expressions = all.Length,
            J = all.Average(e => e.J),
            F = all.Average(e => e.F),
            JAndF = all.Average(e => e.JAndF),
            Videos = videos,
            Missing = missing,
            Surplus = surplus,
        };
    }

    /// <summary>Writes the scores as JSON.</summary>
    /// <exception cref="IOException">The file could not be written; one that was there is whole.</exception>
    public void Save(string file) => ReportFile.Save(file, this);

    /// <summary>The scores as a table: each video, below it its sentences, and at the end the mean.</summary>
    public override string ToString()
    {
        StringBuilder text = new();
        int width = Math.Max(20, Videos.Max(video => Math.Max(video.Video.Length, video.Expressions.Max(e => e.Expression.Length + 2))));
        text.AppendLine(CultureInfo.InvariantCulture, $"{"video".PadRight(width)}{"frames",8}{"J",8}{"F",8}{"J&F",8}");
        foreach (VideoScore video in Videos)
        {
            Row(video.Video, "", video.J, video.F, video.JAndF);
            foreach (ExpressionScore expression in video.Expressions)
                Row("  " + expression.Expression, expression.Frames.ToString(CultureInfo.InvariantCulture), expression.J, expression.F, expression.JAndF);
        }
        Row("mean", "", J, F, JAndF);
        text.AppendLine(CultureInfo.InvariantCulture, $"{Expressions} sentences or objects of {Videos.Count} videos, {Missing.Count} predictions missing or broken, {Surplus.Count} surplus");
        return text.ToString();

        void Row(string name, string frames, double j, double f, double both) =>
            text.AppendLine(CultureInfo.InvariantCulture, $"{name.PadRight(width)}{frames,8}{j,8:F2}{f,8:F2}{both,8:F2}");
    }
}
