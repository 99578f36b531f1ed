using Lavt.Imaging;
using Lavt.Metrics;

namespace Lavt.Scoring;

/// <summary>A frame of a prediction and of the truth.</summary>
/// <param name="Prediction">The file of the predicted mask.</param>
/// <param name="Truth">The file of the true mask.</param>
internal readonly record struct FramePair(string Prediction, string Truth);

/// <summary>The masks of one sentence, or of one object.</summary>
/// <param name="Video">The video.</param>
/// <param name="Expression">The sentence's key, or the object's number.</param>
/// <param name="PredictedIndex">The palette index of the prediction; null where everything but 0 is covered.</param>
/// <param name="TrueIndex">The palette index of the truth; null where everything but 0 is covered.</param>
/// <param name="Frames">The frames, at least one.</param>
internal sealed record ScoringTask(string Video, string Expression, byte? PredictedIndex, byte? TrueIndex, IReadOnlyList<FramePair> Frames)
{
    /// <summary>Compares all frames. A prediction that is missing, broken or of another size counts as 0 and is named.</summary>
    /// <exception cref="PictureException">A true mask cannot be read.</exception>
    public (ExpressionScore Score, List<string> Missing) Run(ScoringDesk desk)
    {
        List<string> missing = [];
        double j = 0, f = 0;
        foreach (FramePair frame in Frames)
        {
            desk.Read(frame.Truth, TrueIndex, desk.Truth);
            try
            {
                desk.Read(frame.Prediction, PredictedIndex, desk.Prediction);
            }
            catch (PictureException failure)
            {
                missing.Add(File.Exists(frame.Prediction) ? $"{failure.File}: {failure.Problem}" : $"{Gone(frame.Prediction)}: missing");
                continue;
            }
            if ((desk.Prediction.Rows, desk.Prediction.Columns) != (desk.Truth.Rows, desk.Truth.Columns))
            {
                missing.Add($"{frame.Prediction}: {desk.Prediction.Rows} x {desk.Prediction.Columns} pixels, the truth has {desk.Truth.Rows} x {desk.Truth.Columns}");
                continue;
            }
            j += MaskOverlap.Of(desk.Prediction.Pixels, desk.Truth.Pixels).J;
            f += BoundaryMeasure.F(desk.Prediction, desk.Truth);
        }
        (j, f) = (100 * j / Frames.Count, 100 * f / Frames.Count);
        return (new ExpressionScore(Expression, Frames.Count, j, f, (j + f) / 2), missing);
    }

    /// <summary>The file, or the uppermost folder above it that is missing as well.</summary>
    internal static string Gone(string path)
    {
        while (Path.GetDirectoryName(path) is { Length: > 0 } folder && !Directory.Exists(folder)) path = folder;
        return path;
    }
}

/// <summary>The memory of one scoring thread.</summary>
internal sealed class ScoringDesk
{
    private readonly PictureReader _reader = new();

    public Mask Prediction { get; } = new();

    public Mask Truth { get; } = new();

    /// <summary>Reads a mask, or one object of a file with palette indices.</summary>
    public void Read(string path, byte? index, Mask into)
    {
        _reader.Read(path, into);
        if (index is { } value) into.KeepOnly(value);
    }
}
