using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;

namespace Lavt.Data.Clips;

/// <summary>A sentence about an actor of a clip.</summary>
/// <param name="Text">The words, in lower case and with single spaces.</param>
/// <param name="Video">The name of the clip.</param>
/// <param name="Frame">The frame with a mask, from 1.</param>
/// <param name="Instance">The number of the actor in the frame's file of masks.</param>
public sealed record A2dSentence(string Text, string Video, int Frame, long Instance)
{
    /// <summary>How results name the sentence.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"v_{Video}_f_{Frame}_i_{Instance}");
}

/// <summary>A split of A2D-Sentences.</summary>
/// <remarks>
/// Layout below the root: <c>a2d_sentences_single_frame_{train,test}_annotations.json</c>, clips in <c>clips320H/VIDEO.mp4</c>
/// or, where that file is not there, frames in <c>pngs320H/VIDEO/*.png</c>, and masks in
/// <c>a2d_annotation_with_instances/VIDEO/FRAME.h5</c>.
/// </remarks>
public sealed class A2dData
{
    private readonly ConcurrentDictionary<string, int> _lengths = [];

    private A2dData(string root, string split, List<A2dSentence> sentences) => (Root, Split, Sentences) = (root, split, sentences);

    /// <summary>The folder of the data set.</summary>
    public string Root { get; }

    /// <summary>train or test.</summary>
    public string Split { get; }

    /// <summary>The sentences in the order of the file.</summary>
    public IReadOnlyList<A2dSentence> Sentences { get; }

    /// <summary>The file of sentences.</summary>
    public string SentencePath => SentencePathOf(Root, Split);

    /// <summary>Reads a split.</summary>
    /// <param name="root">The folder of the data set (--a2d_data_root).</param>
    /// <param name="split">train or test; val means test.</param>
    /// <exception cref="DataException">The file is missing or broken, or an entry is.</exception>
    public static A2dData Load(string root, string split) => Load(root, split, problem => throw new DataException(problem, DataException.VerifyAdvice));

    /// <summary>Reads a split and goes on past broken entries, which are left out.</summary>
    /// <param name="root">The folder of the data set.</param>
    /// <param name="split">train or test; val means test.</param>
    /// <param name="report">Gets each problem as it is found.</param>
    /// <exception cref="DataException">The file is missing or broken as a whole.</exception>
    public static A2dData Load(string root, string split, Action<DataProblem> report)
    {
        ArgumentNullException.ThrowIfNull(report);
        if (split is "val" or "valid") split = "test";
        if (split is not ("train" or "test"))
            throw new DataException(new DataProblem(root, "", $"no split is named '{split}'"), "give train, val or test (--split)");
        return new A2dData(root, split, Read(SentencePathOf(root, split), report));
    }

    /// <summary>The file of masks of a frame.</summary>
    public string MaskPath(string video, int frame) =>
        Path.Combine(Root, "a2d_annotation_with_instances", video, frame.ToString("00000", CultureInfo.InvariantCulture) + ".h5");

    /// <summary>The file of a clip.</summary>
    public string ClipPath(string video) => Path.Combine(Root, "clips320H", video + ".mp4");

    /// <summary>The folder of a clip's frames.</summary>
    public string FrameFolderOf(string video) => Path.Combine(Root, "pngs320H", video);

    /// <summary>Opens a clip.</summary>
    /// <exception cref="DataException">It is missing or broken.</exception>
    internal FrameSource Open(string video, string place)
    {
        string clip = ClipPath(video), frames = FrameFolderOf(video);
        // The length of a file is known only after decoding it; once is enough.
        if (File.Exists(clip)) return new FrameFile(clip, _lengths.GetOrAdd(video, _ => FrameFile.CountFrames(clip, place)));
        if (Directory.Exists(frames)) return new FrameFolder(frames, place);
        throw new DataException(new DataProblem(clip, place, $"there is no such file, and no folder {frames}"), "extract the clips of the data set (--a2d_data_root)");
    }

    private static string SentencePathOf(string root, string split) => Path.Combine(root, $"a2d_sentences_single_frame_{split}_annotations.json");

    private static List<A2dSentence> Read(string path, Action<DataProblem> report)
    {
        if (!File.Exists(path))
            throw new DataException(new DataProblem(path, "", "there is no such file"), "give the folder that holds the data set's Release (--a2d_data_root)");
        List<A2dSentence> sentences = [];
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            foreach (JsonElement entry in document.RootElement.EnumerateArray())
            {
                try
                {
                    sentences.Add(ReadSentence(entry));
                }
                catch (Exception failure) when (failure is InvalidOperationException or FormatException or IndexOutOfRangeException)
                {
                    report(new DataProblem(path, $"entry {entry.GetRawText()}", $"not [text, video, frame, instance] ({failure.Message})"));
                }
            }
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            throw new DataException(new DataProblem(path, "", $"not the sentences of A2D ({failure.Message})"), "restore the file of the data set", failure);
        }
        return sentences;
    }

    private static A2dSentence ReadSentence(JsonElement entry)
    {
        string text = string.Join(' ', entry[0].GetString()!.ToLowerInvariant().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        string video = entry[1].GetString()!;
        long frame = Number(entry[2]), instance = Number(entry[3]);
        if (video.Length == 0 || video.AsSpan().ContainsAny('/', '\\', '\0') || video is "." or "..") throw new FormatException("the video is no file name");
        if (frame is < 1 or > int.MaxValue) throw new FormatException("frames count from 1");
        return new A2dSentence(text, video, (int)frame, instance);
    }

    private static long Number(JsonElement value) =>
        value.ValueKind == JsonValueKind.String ? long.Parse(value.GetString()!, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture) : value.GetInt64();
}
