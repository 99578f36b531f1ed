namespace Lavt.Options;

/// <summary>Which data is read, and how.</summary>
public sealed record DataOptions
{
    /// <summary><c>--dataset</c>.</summary>
    public DatasetKind Dataset { get; init; } = DatasetKind.RefCoco;

    /// <summary><c>--splitBy</c>: who cut the data set into splits: unc, umd or google.</summary>
    public string SplitBy { get; init; } = "unc";

    /// <summary><c>--split</c>: the split to evaluate.</summary>
    public string Split { get; init; } = "test";

    /// <summary><c>--refer_data_root</c>: the folder of the REFER data sets.</summary>
    public string ReferRoot { get; init; } = "./refer/data/";

    /// <summary><c>--a2d_data_root</c>.</summary>
    public string A2dRoot { get; init; } = "./data/A2D/Release/";

    /// <summary><c>--ytvos_data_root</c>.</summary>
    public string YouTubeVosRoot { get; init; } = "./data/ReferringYouTubeVOS2021/";

    /// <summary><c>--jhmdb_data_root</c>.</summary>
    public string JhmdbRoot { get; init; } = "./data/JHMDB/";

    /// <summary><c>--img_size</c>: pictures are resized to this many rows and columns.</summary>
    public int ImageSize { get; init; } = 480;

    /// <summary><c>--bert_tokenizer</c>: a folder with <c>vocab.txt</c>, or that file.</summary>
    public string Tokenizer { get; init; } = "bert-base-uncased";

    /// <summary><c>--workers</c>: threads that prepare samples in the background; 0 prepares them between steps.</summary>
    public int Workers { get; init; } = 8;

    /// <summary><c>--num_frames</c>: frames of a training clip.</summary>
    public int Frames { get; init; } = 1;

    /// <summary><c>--clip_length</c>: frames of an evaluation clip of A2D.</summary>
    public int ClipLength { get; init; } = 8;

    /// <summary><c>--sliding_window</c>: frames of a video that a video model sees together; 0 for all of them.</summary>
    public int SlidingWindow { get; init; }

    /// <summary>Whether <see cref="Dataset"/> is one of clips.</summary>
    public bool IsOfClips => Dataset is not (DatasetKind.RefCoco or DatasetKind.RefCocoPlus or DatasetKind.RefCocoG);

    /// <summary><c>--not_consecutive</c>: evaluation clips of A2D are drawn as in training.</summary>
    public bool NotConsecutive { get; init; }

    /// <summary><c>--sample_3</c>: three frames of each clip of JHMDB-Sentences are evaluated, not all.</summary>
    public bool ThreeFrames { get; init; }

    /// <summary><c>--ref_image_combined_pretrain</c>: train a picture model on the three RefCOCO sets together.</summary>
    public bool CombinedImages { get; init; }

    /// <summary><c>--image_combined_3d_pretrain</c>: train a video model on the three RefCOCO sets together.</summary>
    public bool CombinedImagesAsClips { get; init; }
}
