using Lavt.Options;
using Lavt.Text;

namespace Lavt.Data.Clips;

/// <summary>Opens the data sets of clips that a command line names.</summary>
public static class ClipDatasets
{
    /// <summary>Opens what a model is trained on.</summary>
    /// <param name="options">Which data sets, and where they lie.</param>
    /// <param name="tokenizer">The vocabulary, see <see cref="ReferDatasets.LoadTokenizer"/>.</param>
    /// <exception cref="OptionException">The data set is none to train clips on.</exception>
    /// <exception cref="DataException">A file is missing or broken.</exception>
    public static IClipDataset OpenTraining(DataOptions options, BertTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.CombinedImagesAsClips) return Pictures(options, "train", tokenizer, PictureClipKind.Repeated);
        return options.Dataset switch
        {
            DatasetKind.A2d => new A2dDataset(A2dData.Load(options.A2dRoot, "train"), tokenizer, options.ImageSize, options.Frames, ClipSampling.Drawn, drawAgain: true),
            DatasetKind.YouTubeVos => Videos(options, tokenizer),
            DatasetKind.RefsAndYouTubeVos => new JoinedClips(Pictures(options, "train", tokenizer, PictureClipKind.Repeated), Videos(options, tokenizer)),
            DatasetKind.Joint => new JoinedClips(Pictures(options, "train", tokenizer, PictureClipKind.Moving), Videos(options, tokenizer)),
            _ => throw new OptionException("--dataset", "give a2d, ytvos, joint or refs+ytvos to train on clips, or --image_combined_3d_pretrain"),
        };
    }

    /// <summary>
    /// Opens clips with one annotated frame to evaluate on, or for <c>--image_combined_3d_pretrain</c> those of the validation
    /// split. Refer-YouTube-VOS is evaluated on whole videos, see <see cref="OpenVideos"/>.
    /// </summary>
    /// <param name="options">Which data set, where it lies, and its split.</param>
    /// <param name="split">The split.</param>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <exception cref="OptionException">The data set is none of such clips.</exception>
    /// <exception cref="DataException">A file is missing or broken, or there is no such split.</exception>
    public static IClipDataset OpenEvaluation(DataOptions options, string split, BertTokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.CombinedImagesAsClips) return Pictures(options, split, tokenizer, PictureClipKind.Repeated);
        return options.Dataset switch
        {
            DatasetKind.A2d => new A2dDataset(
                A2dData.Load(options.A2dRoot, split), tokenizer, options.ImageSize, options.ClipLength,
                options.NotConsecutive ? ClipSampling.Drawn : ClipSampling.Window, drawAgain: false),
            DatasetKind.Jhmdb => new JhmdbDataset(JhmdbData.Load(options.JhmdbRoot, options.ThreeFrames), tokenizer, options.ImageSize, options.ClipLength),
            _ => throw new OptionException("--dataset", "is for training; give a2d, jhmdb or ytvos to evaluate on"),
        };
    }

    /// <summary>Opens whole videos of Refer-YouTube-VOS to evaluate on.</summary>
    /// <param name="options">Where they lie, and their size.</param>
    /// <param name="split">valid (or val), test, or train.</param>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="frames">The number of frames of a piece.</param>
    /// <exception cref="DataException">A file is missing or broken.</exception>
    public static VideoPieces OpenVideos(DataOptions options, string split, BertTokenizer tokenizer, int frames)
    {
        ArgumentNullException.ThrowIfNull(options);
        return new VideoPieces(YouTubeVosData.Load(options.YouTubeVosRoot, split), tokenizer, options.ImageSize, frames);
    }

    private static YouTubeVosDataset Videos(DataOptions options, BertTokenizer tokenizer) =>
        new(YouTubeVosData.Load(options.YouTubeVosRoot, "train"), tokenizer, options.ImageSize, options.Frames);

    private static PictureClips Pictures(DataOptions options, string split, BertTokenizer tokenizer, PictureClipKind kind) =>
        new(ReferDatasets.OpenAll(options, split, tokenizer, ClipShape.MaxTokens), options.Frames, kind);
}
