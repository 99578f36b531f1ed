using Lavt.Options;
using Lavt.Text;

namespace Lavt.Data.Clips;

/// <summary>Finds the verifiers of the data sets that a command line names.</summary>
public static class Verifiers
{
    /// <summary>Frames that are loaded of each clip; every file of A2D is decoded as a whole once in any case.</summary>
    private const int FramesOfClip = 2;

    /// <summary>The verifiers, one for each data set, with the name of each.</summary>
    /// <param name="options">Which data sets, and where they lie.</param>
    /// <param name="tokenizer">The vocabulary to check the sentences with, or null.</param>
    /// <param name="found">Gets each problem.</param>
    /// <param name="progress">Gets the number of pictures, videos or clips that are done and the number of all.</param>
    public static IEnumerable<(string Name, Verifier Verifier)> Of(DataOptions options, BertTokenizer? tokenizer, Action<DataProblem> found, Action<int, int> progress)
    {
        ArgumentNullException.ThrowIfNull(options);
        DatasetKind[] pictures = options.CombinedImages || options.CombinedImagesAsClips || options.Dataset is DatasetKind.Joint or DatasetKind.RefsAndYouTubeVos
            ? [DatasetKind.RefCoco, DatasetKind.RefCocoPlus, DatasetKind.RefCocoG]
            : options.Dataset is DatasetKind.A2d or DatasetKind.Jhmdb or DatasetKind.YouTubeVos ? [] : [options.Dataset];
        foreach (DatasetKind kind in pictures)
        {
            string name = ReferDatasets.NameOf(kind);
            string splitBy = pictures.Length == 1 ? options.SplitBy : kind == DatasetKind.RefCocoG ? "umd" : "unc";
            yield return (name, new DataVerifier(options.ReferRoot, name, splitBy) { Tokenizer = tokenizer, Found = found, Progress = progress });
        }
        if (options.CombinedImages || options.CombinedImagesAsClips) yield break;
        if (options.Dataset is DatasetKind.YouTubeVos or DatasetKind.Joint or DatasetKind.RefsAndYouTubeVos)
            yield return ("ytvos", new YouTubeVosVerifier(options.YouTubeVosRoot) { Tokenizer = tokenizer, Found = found, Progress = progress, MaxTokens = ClipShape.MaxTokens });
        if (options.Dataset is DatasetKind.A2d or DatasetKind.Jhmdb)
        {
            bool isA2d = options.Dataset == DatasetKind.A2d;
            yield return (isA2d ? "a2d" : "jhmdb", new ClipVerifier(report => isA2d ? OpenA2d(options, report) : OpenJhmdb(options, report))
            {
                Tokenizer = tokenizer,
                Found = found,
                Progress = progress,
                MaxTokens = ClipShape.MaxTokens,
            });
        }
    }

    private static List<ClipVerifier.Part> OpenA2d(DataOptions options, Action<DataProblem> report)
    {
        List<ClipVerifier.Part> parts = [];
        foreach (string split in new[] { "train", "test" })
        {
            try
            {
                A2dData data = A2dData.Load(options.A2dRoot, split, report);
                A2dDataset clips = new(data, null, options.ImageSize, FramesOfClip, ClipSampling.Window, drawAgain: false);
                parts.Add(new ClipVerifier.Part(split, data.SentencePath, clips, [.. data.Sentences.Select(sentence => sentence.Text)]));
            }
            catch (DataException failure)
            {
                report(failure.Problem);
            }
        }
        return parts;
    }

    private static List<ClipVerifier.Part> OpenJhmdb(DataOptions options, Action<DataProblem> report)
    {
        JhmdbData data = JhmdbData.Load(options.JhmdbRoot, options.ThreeFrames, report);
        JhmdbDataset clips = new(data, null, options.ImageSize, FramesOfClip);
        return [new ClipVerifier.Part("all", data.SentencePath, clips, [.. data.Samples.Select(sample => sample.Text)])];
    }
}
