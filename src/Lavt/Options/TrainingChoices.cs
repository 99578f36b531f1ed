namespace Lavt.Options;

/// <summary>The losses, <c>--loss</c>.</summary>
public enum LossKind
{
    /// <summary><c>ce</c>: cross entropy with class weights 0.9 and 1.1.</summary>
    CrossEntropy,

    /// <summary><c>mc_dice</c>: Dice loss, the mean of both classes.</summary>
    MultiClassDice,

    /// <summary><c>dice_focal</c>: Dice and focal loss.</summary>
    DiceFocal,

    /// <summary><c>dice_boundary</c>: Dice and boundary loss.</summary>
    DiceBoundary,
}

/// <summary>Which parameters of BERT are trained, <c>--lang_enc_params</c>.</summary>
public enum TrainedLanguage
{
    /// <summary><c>encoder-10</c>: the first ten encoder layers.</summary>
    Encoder10,

    /// <summary><c>encoder-all</c>: all encoder layers.</summary>
    EncoderAll,

    /// <summary><c>embeddings+encoder-10</c>: the embeddings and the first ten encoder layers.</summary>
    EmbeddingsEncoder10,

    /// <summary><c>embeddings+encoder-all</c>: the embeddings and all encoder layers.</summary>
    EmbeddingsEncoderAll,
}

/// <summary>The data sets, <c>--dataset</c>.</summary>
public enum DatasetKind
{
    /// <summary><c>refcoco</c>.</summary>
    RefCoco,

    /// <summary><c>refcoco+</c>.</summary>
    RefCocoPlus,

    /// <summary><c>refcocog</c> (G-Ref).</summary>
    RefCocoG,

    /// <summary><c>a2d</c>: A2D-Sentences.</summary>
    A2d,

    /// <summary><c>jhmdb</c>: JHMDB-Sentences, for evaluation.</summary>
    Jhmdb,

    /// <summary><c>ytvos</c>: Refer-YouTube-VOS.</summary>
    YouTubeVos,

    /// <summary><c>joint</c>: pictures made into clips, and Refer-YouTube-VOS.</summary>
    Joint,

    /// <summary><c>refs+ytvos</c>: the three RefCOCO sets and Refer-YouTube-VOS.</summary>
    RefsAndYouTubeVos,
}
