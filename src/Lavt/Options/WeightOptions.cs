namespace Lavt.Options;

/// <summary>Where weights come from.</summary>
public sealed record WeightOptions
{
    /// <summary>The value of <c>--resume</c> that goes on from the run's last checkpoint if there is one, and otherwise starts anew.</summary>
    public const string Auto = "auto";

    /// <summary><c>--resume</c>: a checkpoint to evaluate, or to go on training from; or <see cref="Auto"/>.</summary>
    public string Resume { get; init; } = "";

    /// <summary>The value of <c>--ck_bert</c> that starts BERT from random weights.</summary>
    public const string NoBert = "none";

    /// <summary><c>--ck_bert</c>: a folder with BERT's weights in Hugging Face's layout, or <see cref="NoBert"/>.</summary>
    public string Bert { get; init; } = "bert-base-uncased";

    /// <summary><c>--pretrained_swin_weights</c>: Swin weights to start from.</summary>
    public string PretrainedSwin { get; init; } = "";

    /// <summary><c>--pretrained2d_lavt_weights</c>: weights of a picture model for a video model to start from.</summary>
    public string PretrainedImageLavt { get; init; } = "";

    /// <summary><c>--pretrained2d_lavt_weights_for_a_3d_model</c>: the same without the fusion weights.</summary>
    public string PretrainedImageLavtWithoutFusion { get; init; } = "";

    /// <summary><c>--pretrained_video_lavt_weights_on_refcocos</c>: weights of a video model to start from.</summary>
    public string PretrainedVideoLavt { get; init; } = "";

    /// <summary><c>--ckpt</c>: allow missing and unexpected weights when loading.</summary>
    public bool NotStrict { get; init; }
}
