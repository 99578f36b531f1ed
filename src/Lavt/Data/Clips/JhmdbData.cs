using System.Globalization;
using System.Text.Json;

namespace Lavt.Data.Clips;

/// <summary>A sentence about the person of a clip, for one frame of it.</summary>
/// <param name="Text">The words, in lower case and with single spaces.</param>
/// <param name="Video">The name of the clip.</param>
/// <param name="Frame">The frame, from 1.</param>
public sealed record JhmdbSample(string Text, string Video, int Frame)
{
    /// <summary>How results name the sample.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"v_{Video}_f_{Frame}");
}

/// <summary>JHMDB-Sentences: 928 clips of one person with a sentence each, for evaluation.</summary>
/// <remarks>
/// Layout below the root: <c>jhmdb_annotation.txt</c> (a line of headings, then video,sentence), frames in
/// <c>Rename_Images/CLASS/VIDEO/*.png</c>, masks in <c>puppet_mask/CLASS/VIDEO/puppet_mask.mat</c> (<c>part_mask</c>).
/// <c>jhmdb_sentences_samples_metadata.json</c>, where it is there, says which three frames of each clip are evaluated.
/// </remarks>
public sealed class JhmdbData
{
    private const int FramesOfThree = 3;
    private readonly Dictionary<string, string> _frames;
    private readonly Dictionary<string, string> _masks;

    private JhmdbData(string root, Dictionary<string, string> frames, Dictionary<string, string> masks, List<JhmdbSample> samples) =>
        (Root, _frames, _masks, Samples) = (root, frames, masks, samples);

    /// <summary>The folder of the data set.</summary>
    public string Root { get; }

    /// <summary>The sentences with their frames, in the order of the file.</summary>
    public IReadOnlyList<JhmdbSample> Samples { get; }

    /// <summary>The file of sentences.</summary>
    public string SentencePath => SentencePathOf(Root);

    /// <summary>Reads the data set.</summary>
    /// <param name="root">Its folder (--jhmdb_data_root).</param>
    /// <param name="threeFrames">Whether three frames of each clip are evaluated, spread evenly (--sample_3), or all.</param>
    /// <exception cref="DataException">A file is missing or broken.</exception>
    public static JhmdbData Load(string root, bool threeFrames) => Load(root, threeFrames, problem => throw new DataException(problem, DataException.VerifyAdvice));

    /// <summary>Reads the data set and goes on past broken entries, which are left out.</summary>
    /// <param name="root">Its folder.</param>
    /// <param name="threeFrames">Whether three frames of each clip are evaluated, or all.</param>
    /// <param name="report">Gets each problem as it is found.</param>
    /// <exception cref="DataException">The file of sentences is missing.</exception>
    public static JhmdbData Load(string root, bool threeFrames, Action<DataProblem> report)
    {
        ArgumentNullException.ThrowIfNull(report);
        string path = SentencePathOf(root);
        if (!File.Exists(path))
            throw new DataException(new DataProblem(path, "", "there is no such file"), "give the folder that holds Rename_Images and puppet_mask (--jhmdb_data_root)");
        JhmdbData data = new(root, Folders(root, "Rename_Images"), Folders(root, "puppet_mask"), []);
        Dictionary<string, List<int>> chosen = threeFrames ? ReadChosen(Path.Combine(root, "jhmdb_sentences_samples_metadata.json")) : [];
        List<JhmdbSample> samples = [];
        foreach ((string line, int number) in File.ReadLines(path).Select((line, i) => (line, i + 1)).Skip(1))
        {
            if (line.Trim().Length == 0) continue;
            int comma = line.IndexOf(',', StringComparison.Ordinal);
            if (comma < 1)
            {
                report(new DataProblem(path, $"line {number}", "not video,sentence"));
                continue;
            }
            string video = line[..comma], text = Clean(line[(comma + 1)..]);
            try
            {
                samples.AddRange(data.FramesOf(video, threeFrames, chosen).Select(frame => new JhmdbSample(text, video, frame)));
            }
            catch (DataException failure)
            {
                report(failure.Problem);
            }
        }
        return new JhmdbData(root, data._frames, data._masks, samples);
    }

    /// <summary>The file of a clip's masks.</summary>
    internal string MaskPath(string video, string place) => Path.Combine(Find(_masks, video, "puppet_mask", place), "puppet_mask.mat");

    /// <summary>The frames of a clip.</summary>
    internal FrameSource Open(string video, string place) => new FrameFolder(Find(_frames, video, "Rename_Images", place), place);

    private static string SentencePathOf(string root) => Path.Combine(root, "jhmdb_annotation.txt");

    /// <summary>The folders of the clips, which lie in folders of classes.</summary>
    private static Dictionary<string, string> Folders(string root, string kind)
    {
        Dictionary<string, string> folders = [];
        string folder = Path.Combine(root, kind);
        if (!Directory.Exists(folder)) return folders;
        foreach (string video in Directory.EnumerateDirectories(folder).SelectMany(Directory.EnumerateDirectories)) folders[Path.GetFileName(video)] = video;
        return folders;
    }

    private string Find(Dictionary<string, string> folders, string video, string kind, string place) => folders.TryGetValue(video, out string? folder)
        ? folder
        : throw new DataException(new DataProblem(Path.Combine(Root, kind), place, $"no class has a folder {video}"), "extract the data set again");

    /// <summary>The frames that are evaluated; those behind the last mask are none.</summary>
    private IEnumerable<int> FramesOf(string video, bool threeFrames, Dictionary<string, List<int>> chosen)
    {
        if (chosen.TryGetValue(video, out List<int>? frames)) return frames;
        string place = $"video {video}";
        int[] shape = MatFile.Read(MaskPath(video, place), "part_mask", withValues: false, place).Shape;
        int count = Math.Min(Open(video, place).Count, shape.Length == 3 ? shape[2] : 0);
        if (count == 0) throw new DataException(new DataProblem(MaskPath(video, place), place, "there are no masks of frames"), "extract the data set again");
        return threeFrames
            ? Enumerable.Range(0, FramesOfThree).Select(i => 1 + (2 * i + 1) * count / (2 * FramesOfThree)).Distinct()
            : Enumerable.Range(1, count);
    }

    private static Dictionary<string, List<int>> ReadChosen(string path)
    {
        Dictionary<string, List<int>> chosen = [];
        if (!File.Exists(path)) return chosen;
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            foreach (JsonElement entry in document.RootElement.EnumerateArray())
            {
                string video = entry[0].GetString()!;
                if (!chosen.TryGetValue(video, out List<int>? frames)) chosen[video] = frames = [];
                frames.Add(int.Parse(Path.GetFileNameWithoutExtension(entry[1].GetString()!), NumberStyles.None, CultureInfo.InvariantCulture));
            }
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException or IndexOutOfRangeException or FormatException)
        {
            throw new DataException(new DataProblem(path, "", $"not [video, frame file, …] ({failure.Message})"), "restore the file, or remove it to evaluate evenly spread frames", failure);
        }
        return chosen;
    }

    private static string Clean(string text)
    {
        text = text.Trim();
        if (text is ['"', .., '"']) text = text[1..^1].Replace("\"\"", "\"", StringComparison.Ordinal);
        return string.Join(' ', text.ToLowerInvariant().Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }
}
