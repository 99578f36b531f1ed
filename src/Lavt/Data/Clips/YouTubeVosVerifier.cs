using Lavt.Imaging;

namespace Lavt.Data.Clips;

/// <summary>
/// Reads all splits of Refer-YouTube-VOS that are there and lists everything that is wrong: frames and masks that are missing,
/// cut off, damaged or of different sizes, objects that never appear, empty and unknown sentences.
/// </summary>
/// <param name="root">The folder of the data set.</param>
public sealed class YouTubeVosVerifier(string root) : Verifier
{
    /// <inheritdoc/>
    public override DataReport Run()
    {
        string[] splits = [.. new[] { "train", "valid" }.Where(split => File.Exists(YouTubeVosData.ExpressionPathOf(root, split)))];
        // Without any split the error of the first one says what is missing.
        if (splits.Length == 0) splits = ["train"];
        List<YouTubeVosData> sets = [.. splits.Select(Load).OfType<YouTubeVosData>()];
        foreach (YouTubeVosData data in sets)
        {
            foreach (VideoEntry video in data.Videos)
            {
                foreach (VideoExpression expression in video.Expressions)
                    CheckSentence(expression.Text, text => new DataProblem(data.ExpressionPath, $"video {video.Name}, expression {expression.Id}", text, IsWarning: true));
            }
        }
        List<(YouTubeVosData Data, VideoEntry Video)> videos = [.. sets.SelectMany(data => data.Videos.Select(video => (data, video)))];
        CheckAll(videos, () => new Desk(), (desk, unit) => desk.Check(unit.Data, unit.Video));
        return new DataReport
        {
            Splits = [.. sets.Select(data => (data.Split, data.Videos.Count))],
            Samples = videos.Count,
            Pictures = videos.Sum(unit => unit.Video.Frames.Count),
            Sentences = videos.Sum(unit => unit.Video.Expressions.Count),
            CutOffSentences = CutOff,
            Errors = Errors,
            Warnings = Warnings,
        };
    }

    private YouTubeVosData? Load(string split)
    {
        try
        {
            return YouTubeVosData.Load(root, split, Report);
        }
        catch (DataException failure)
        {
            Report(failure.Problem);
            return null;
        }
    }

    /// <summary>The memory of one checking thread.</summary>
    private sealed class Desk
    {
        private readonly PictureReader _reader = new();
        private readonly Picture _frame = new();
        private readonly Mask _mask = new();

        public List<DataProblem> Check(YouTubeVosData data, VideoEntry video)
        {
            List<DataProblem> problems = [];
            string place = $"video {video.Name}";
            // Masks are demanded in train; in valid they were published later and may be there or not.
            bool withMasks = data.Split == "train" || Directory.Exists(Path.GetDirectoryName(data.MaskPath(video.Name, "")));
            bool[] seen = new bool[256];
            foreach (string frame in video.Frames)
            {
                string path = data.FramePath(video.Name, frame), maskPath = data.MaskPath(video.Name, frame);
                bool read = Try(problems, place, () => _reader.Read(path, _frame));
                if (read && _reader.Warning is { } warning) problems.Add(new DataProblem(path, place, $"readable, but damaged ({warning})", IsWarning: true));
                if (!withMasks || !Try(problems, place, () => _reader.Read(maskPath, _mask))) continue;
                if (read && (_mask.Rows, _mask.Columns) != (_frame.Rows, _frame.Columns))
                    problems.Add(new DataProblem(maskPath, place, $"the mask has {_mask.Rows} x {_mask.Columns} pixels, the frame {_frame.Rows} x {_frame.Columns}"));
                foreach (byte index in _mask.Pixels) seen[index] = true;
            }
            if (!withMasks) return problems;
            foreach (VideoExpression expression in video.Expressions.Where(expression => expression.Object is { } index && !seen[index]))
                problems.Add(new DataProblem(data.ExpressionPath, $"{place}, expression {expression.Id}", $"object {expression.Object} is in no mask", IsWarning: true));
            return problems;
        }

        private static bool Try(List<DataProblem> problems, string place, Action read)
        {
            try
            {
                read();
                return true;
            }
            catch (PictureException failure)
            {
                problems.Add(new DataProblem(failure.File, place, failure.Problem));
                return false;
            }
        }
    }
}
