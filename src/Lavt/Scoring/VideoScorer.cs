using System.Globalization;
using System.Runtime.ExceptionServices;
using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Imaging;

namespace Lavt.Scoring;

/// <summary>Scores predicted masks of videos by J and F, the measures of the DAVIS evaluation.</summary>
/// <param name="threads">The number of threads that compare masks; it changes no score.</param>
public sealed class VideoScorer(int threads)
{
    private const byte Void = 255;

    /// <summary>Gets the number of sentences that are done and the number of all.</summary>
    public Action<int, int>? Progress { get; init; }

    /// <summary>
    /// Scores a submission of Refer-YouTube-VOS: <c>VIDEO/EXPRESSION/FRAME.png</c>, below <c>Annotations</c> or not.
    /// </summary>
    /// <param name="predictions">The folder of the submission.</param>
    /// <param name="truth">The true masks in the same layout, or the folder of a data set whose split has masks and says which object each sentence means.</param>
    /// <param name="split">The split of that data set.</param>
    /// <exception cref="DataException">A folder is missing, or a true mask is missing or broken.</exception>
    public VideoScores ScoreSentences(string predictions, string truth, string split)
    {
        predictions = Within(predictions, "Annotations");
        List<ScoringTask> tasks = Directory.Exists(Path.Combine(truth, "meta_expressions"))
            ? SentencesOf(predictions, YouTubeVosData.Load(truth, split))
            : SentencesOf(predictions, Within(truth, "Annotations"));
        return Score("ytvos", predictions, [.. tasks]);
    }

    /// <summary>
    /// Scores objects as Ref-DAVIS has them: <c>VIDEO/FRAME.png</c> with the objects' palette indices. Where the folder holds
    /// <c>anno_0</c>, <c>anno_1</c>, … (the sentences of several annotators), each of these counts as one more set of objects.
    /// </summary>
    /// <param name="predictions">The folder of the predictions.</param>
    /// <param name="truth">The true masks in the same layout, or DAVIS's root.</param>
    /// <exception cref="DataException">A folder is missing, or a true mask is missing or broken.</exception>
    public VideoScores ScoreObjects(string predictions, string truth)
    {
        truth = Within(Within(Within(truth, "Annotations_unsupervised"), "Annotations"), "480p");
        string[] annotators = Directory.Exists(predictions) ? [.. Directory.GetDirectories(predictions, "anno_*").Order(StringComparer.Ordinal)] : [];
        if (annotators.Length == 0) return Score("davis", predictions, ObjectsOf(predictions, truth, ""));
        ScoringTask[] tasks = [.. annotators.SelectMany(folder => ObjectsOf(folder, truth, Path.GetFileName(folder) + " "))];
        return Score("davis", predictions, tasks);
    }

    private static string Within(string folder, string name) => Directory.Exists(Path.Combine(folder, name)) ? Path.Combine(folder, name) : folder;

    private static string[] Names(string folder) => Directory.Exists(folder)
        ? [.. Directory.GetDirectories(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)]
        : throw Missing(folder, "there is no such folder", "give the folder of masks");

    private static string[] Frames(string folder) =>
        [.. Directory.GetFiles(folder, "*.png").Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private static DataException Missing(string path, string text, string advice) => new(new DataProblem(path, "", text), advice);

    private static List<ScoringTask> SentencesOf(string predictions, YouTubeVosData data)
    {
        List<ScoringTask> tasks = [];
        foreach (VideoEntry video in data.Videos)
        {
            foreach (VideoExpression expression in video.Expressions)
            {
                if (expression.Object is not { } index)
                    throw Missing(data.ExpressionPath, $"video {video.Name}, expression {expression.Id} has no obj_id", "give the true masks as VIDEO/EXPRESSION/FRAME.png");
                IEnumerable<FramePair> frames = video.Frames
                    .Select(frame => new FramePair(Path.Combine(predictions, video.Name, expression.Id, frame + ".png"), data.MaskPath(video.Name, frame)))
                    .Where(frame => File.Exists(frame.Truth));
                Add(tasks, new ScoringTask(video.Name, expression.Id, null, (byte)index, [.. frames]));
            }
        }
        return tasks;
    }

    private static List<ScoringTask> SentencesOf(string predictions, string truth)
    {
        List<ScoringTask> tasks = [];
        foreach (string video in Names(truth))
        {
            foreach (string expression in Names(Path.Combine(truth, video)))
            {
                string folder = Path.Combine(truth, video, expression);
                IEnumerable<FramePair> frames = Frames(folder).Select(frame => new FramePair(Path.Combine(predictions, video, expression, frame), Path.Combine(folder, frame)));
                Add(tasks, new ScoringTask(video, expression, null, null, [.. frames]));
            }
        }
        return tasks;
    }

    private static ScoringTask[] ObjectsOf(string predictions, string truth, string prefix)
    {
        List<ScoringTask> tasks = [];
        Mask mask = new();
        PictureReader reader = new();
        foreach (string video in Names(truth))
        {
            FramePair[] frames = [.. Frames(Path.Combine(truth, video)).Select(frame => new FramePair(Path.Combine(predictions, video, frame), Path.Combine(truth, video, frame)))];
            if (frames.Length == 0) continue;
            SortedSet<byte> objects = [];
            foreach (FramePair frame in frames)
            {
                reader.Read(frame.Truth, mask);
                foreach (byte index in mask.Pixels) objects.Add(index);
            }
            foreach (byte index in objects.Where(index => index is not (0 or Void)))
                tasks.Add(new ScoringTask(video, prefix + index.ToString(CultureInfo.InvariantCulture), index, index, frames));
        }
        return [.. tasks];
    }

    private static void Add(List<ScoringTask> tasks, ScoringTask task)
    {
        if (task.Frames.Count > 0) tasks.Add(task);
    }

    private VideoScores Score(string dataset, string predictions, ScoringTask[] tasks)
    {
        _ = Names(predictions);
        if (tasks.Length == 0) throw Missing(predictions, "there are no true masks to compare with", "give the folder of the true masks");
        (ExpressionScore Score, List<string> Missing)[] results = new (ExpressionScore, List<string>)[tasks.Length];
        int done = 0;
        try
        {
            Parallel.For(0, tasks.Length, new ParallelOptions { MaxDegreeOfParallelism = threads }, () => new ScoringDesk(), (i, _, desk) =>
            {
                results[i] = tasks[i].Run(desk);
                Progress?.Invoke(Interlocked.Increment(ref done), tasks.Length);
                return desk;
            }, _ => { });
        }
        catch (AggregateException failure)
        {
            ExceptionDispatchInfo.Throw(failure.Flatten().InnerExceptions[0]);
        }
        VideoScore[] videos = [.. tasks.Zip(results).GroupBy(entry => entry.First.Video).Select(group => VideoScore.Of(group.Key, [.. group.Select(entry => entry.Second.Score)]))];
        return VideoScores.Of(dataset, videos, [.. results.SelectMany(result => result.Missing).Distinct()], SurplusIn(predictions, tasks));
    }

    /// <summary>Files that belong to no task, and folders of which that is true of every file.</summary>
    private static List<string> SurplusIn(string predictions, ScoringTask[] tasks)
    {
        HashSet<string> known = [.. tasks.SelectMany(task => task.Frames).Select(frame => frame.Prediction)];
        HashSet<string> folders = [.. known.Select(file => Path.GetDirectoryName(file)!)];
        return [.. Directory.EnumerateFiles(predictions, "*.png", SearchOption.AllDirectories)
            .Where(file => !known.Contains(file))
            .Select(file => folders.Contains(Path.GetDirectoryName(file)!) ? file : Path.GetDirectoryName(file)!)
            .Distinct().Order(StringComparer.Ordinal)];
    }
}
