using System.Globalization;
using System.Text.Json;

namespace Lavt.Data.Clips;

/// <summary>A sentence about an object of a video.</summary>
/// <param name="Id">Its key among the video's sentences.</param>
/// <param name="Text">The words as they were written.</param>
/// <param name="Object">The palette index of the object in the masks; null where the data set does not tell it.</param>
public sealed record VideoExpression(string Id, string Text, int? Object);

/// <summary>A video with its sentences.</summary>
/// <param name="Name">Its folder.</param>
/// <param name="Frames">The names of its frames in the order of time, at least one.</param>
/// <param name="Expressions">The sentences.</param>
public sealed record VideoEntry(string Name, IReadOnlyList<string> Frames, IReadOnlyList<VideoExpression> Expressions);

/// <summary>A split of Refer-YouTube-VOS: videos and the sentences that mean their objects.</summary>
/// <remarks>
/// Layout below the root: <c>meta_expressions/SPLIT/meta_expressions.json</c>, frames in <c>SPLIT/JPEGImages/VIDEO/FRAME.jpg</c>,
/// and where there are masks, <c>SPLIT/Annotations/VIDEO/FRAME.png</c> with the objects' palette indices. The file of
/// <c>valid</c> also lists the competition's test videos; those that are in the file of <c>test</c> are left out.
/// </remarks>
public sealed class YouTubeVosData
{
    private YouTubeVosData(string root, string split, List<VideoEntry> videos) => (Root, Split, Videos) = (root, split, videos);

    /// <summary>The folder of the data set.</summary>
    public string Root { get; }

    /// <summary>train, valid or test.</summary>
    public string Split { get; }

    /// <summary>The videos: those of train in the order of the file, others by name.</summary>
    public IReadOnlyList<VideoEntry> Videos { get; }

    /// <summary>The file of sentences.</summary>
    public string ExpressionPath => ExpressionPathOf(Root, Split);

    /// <summary>Reads a split.</summary>
    /// <param name="root">The folder of the data set (--ytvos_data_root).</param>
    /// <param name="split">train, valid or test; val means valid.</param>
    /// <exception cref="DataException">The file is missing or broken, or an entry is.</exception>
    public static YouTubeVosData Load(string root, string split) =>
        Load(root, split, problem => throw new DataException(problem, DataException.VerifyAdvice));

    /// <summary>Reads a split and goes on past broken entries, which are left out.</summary>
    /// <param name="root">The folder of the data set.</param>
    /// <param name="split">train, valid or test; val means valid.</param>
    /// <param name="report">Gets each problem as it is found.</param>
    /// <exception cref="DataException">The file is missing or broken as a whole.</exception>
    public static YouTubeVosData Load(string root, string split, Action<DataProblem> report)
    {
        ArgumentNullException.ThrowIfNull(report);
        if (split == "val") split = "valid";
        if (split is not ("train" or "valid" or "test"))
            throw new DataException(new DataProblem(root, "", $"no split is named '{split}'"), "give train, valid or test (--split)");
        List<VideoEntry> videos = Read(ExpressionPathOf(root, split), split == "train", report);
        if (split != "train") videos.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        if (split == "valid" && File.Exists(ExpressionPathOf(root, "test")))
        {
            HashSet<string> tests = [.. Read(ExpressionPathOf(root, "test"), false, _ => { }).Select(video => video.Name)];
            videos.RemoveAll(video => tests.Contains(video.Name));
        }
        return new YouTubeVosData(root, split, videos);
    }

    /// <summary>The file of a frame.</summary>
    public string FramePath(string video, string frame) => Path.Combine(Root, Split, "JPEGImages", video, frame + ".jpg");

    /// <summary>The file of the masks of a frame.</summary>
    public string MaskPath(string video, string frame) => Path.Combine(Root, Split, "Annotations", video, frame + ".png");

    internal static string ExpressionPathOf(string root, string split) => Path.Combine(root, "meta_expressions", split, "meta_expressions.json");

    private static List<VideoEntry> Read(string path, bool withObjects, Action<DataProblem> report)
    {
        if (!File.Exists(path))
            throw new DataException(new DataProblem(path, "", "there is no such file"), "give the folder that holds meta_expressions (--ytvos_data_root)");
        List<VideoEntry> videos = [];
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            foreach (JsonProperty video in document.RootElement.GetProperty("videos").EnumerateObject())
            {
                if (ReadVideo(video, path, withObjects, report) is { } entry) videos.Add(entry);
            }
        }
        catch (Exception failure) when (failure is JsonException or KeyNotFoundException or InvalidOperationException)
        {
            throw new DataException(new DataProblem(path, "", $"not the sentences of Refer-YouTube-VOS ({failure.Message})"), "restore the file of the data set", failure);
        }
        return videos;
    }

    private static VideoEntry? ReadVideo(JsonProperty video, string path, bool withObjects, Action<DataProblem> report)
    {
        string place = $"video {video.Name}";
        try
        {
            string[] frames = [.. video.Value.GetProperty("frames").EnumerateArray().Select(frame => frame.GetString()!)];
            if (frames.Length == 0 || !IsFileName(video.Name) || !frames.All(IsFileName)) throw new FormatException("the video has no frames, or a name that is no file name");
            List<VideoExpression> expressions = [];
            foreach (JsonProperty expression in video.Value.GetProperty("expressions").EnumerateObject())
            {
                place = $"video {video.Name}, expression {expression.Name}";
                expressions.Add(ReadExpression(expression, withObjects));
            }
            if (withObjects) Array.Sort(frames, StringComparer.Ordinal);
            return new VideoEntry(video.Name, frames, expressions);
        }
        catch (Exception failure) when (failure is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            report(new DataProblem(path, place, failure.Message));
            return null;
        }
    }

    private static VideoExpression ReadExpression(JsonProperty expression, bool withObject)
    {
        if (!IsFileName(expression.Name)) throw new FormatException("the key of the sentence is no file name");
        string text = expression.Value.GetProperty("exp").GetString()!;
        if (!expression.Value.TryGetProperty("obj_id", out JsonElement id))
            return withObject ? throw new FormatException("the sentence has no obj_id") : new VideoExpression(expression.Name, text, null);
        string number = id.ValueKind == JsonValueKind.String ? id.GetString()! : id.GetRawText();
        if (!int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out int index) || index is < 1 or > 255)
            throw new FormatException($"the obj_id '{number}' is no palette index from 1 to 255");
        return new VideoExpression(expression.Name, text, index);
    }

    /// <summary>Names become parts of paths: they must not lead out of the folder.</summary>
    private static bool IsFileName(string? name) => name is { Length: > 0 } and not ("." or "..") && !name.AsSpan().ContainsAny('/', '\\', '\0');
}
