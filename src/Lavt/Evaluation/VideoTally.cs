using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Imaging;
using Lavt.Metrics;
using Lavt.Scoring;

namespace Lavt.Evaluation;

/// <summary>Compares the masks of one video with the true ones, where they are there.</summary>
/// <param name="data">The split.</param>
/// <param name="video">The video.</param>
internal sealed class VideoTally(YouTubeVosData data, VideoEntry video)
{
    private readonly PictureReader _reader = new();
    private readonly Mask _truth = new();
    private readonly (int Frames, int Shown, double J, double F)[] _sums = new (int, int, double, double)[video.Expressions.Count];

    /// <summary>All pixels that were compared.</summary>
    public MaskOverlap Overlap { get; private set; }

    /// <summary>Adds the mask of a frame; nothing happens where there is no true one.</summary>
    /// <exception cref="DataException">The true mask is broken, or of another size.</exception>
    public void Add(int expression, int frame, Mask prediction)
    {
        string path = data.MaskPath(video.Name, video.Frames[frame]);
        if (video.Expressions[expression].Object is not { } index || !File.Exists(path)) return;
        try
        {
            _reader.Read(path, _truth);
        }
        catch (PictureException failure)
        {
            throw new DataException(new DataProblem(failure.File, $"video {video.Name}", failure.Problem), DataException.VerifyAdvice, failure);
        }
        if ((_truth.Rows, _truth.Columns) != (prediction.Rows, prediction.Columns))
            throw new DataException(new DataProblem(path, $"video {video.Name}", $"the mask has {_truth.Rows} x {_truth.Columns} pixels, the frame {prediction.Rows} x {prediction.Columns}"), DataException.VerifyAdvice);
        _truth.KeepOnly((byte)index);
        MaskOverlap overlap = MaskOverlap.Of(prediction.Pixels, _truth.Pixels);
        Overlap += overlap;
        (int frames, int shown, double j, double f) = _sums[expression];
        _sums[expression] = (frames + 1, shown + (_truth.Area() > 0 ? 1 : 0), j + overlap.J, f + BoundaryMeasure.F(prediction, _truth));
    }

    /// <summary>The scores of the sentences; one whose object is in no frame is named instead.</summary>
    public List<ExpressionScore> Scores(List<string> broken)
    {
        List<ExpressionScore> scores = [];
        for (int i = 0; i < _sums.Length; i++)
        {
            (int frames, int shown, double j, double f) = _sums[i];
            VideoExpression expression = video.Expressions[i];
            if (frames == 0) continue;
            if (shown > 0) scores.Add(new ExpressionScore(expression.Id, frames, 100 * j / frames, 100 * f / frames, 50 * (j + f) / frames));
            else broken.Add(new DataProblem(data.ExpressionPath, $"video {video.Name}, expression {expression.Id}", $"the object {expression.Object} is in none of the video's masks").ToString());
        }
        return scores;
    }
}
