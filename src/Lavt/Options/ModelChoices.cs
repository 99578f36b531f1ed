namespace Lavt.Options;

/// <summary>The models, <c>--model</c>.</summary>
public enum ModelKind
{
    /// <summary><c>lavt</c>: pictures; BERT stands beside the model, with its own entry in the checkpoint.</summary>
    Lavt,

    /// <summary><c>lavt_one</c>: pictures; BERT is a part of the model.</summary>
    LavtOne,

    /// <summary><c>lavt_video</c>: clips; Video Swin with BERT inside.</summary>
    LavtVideo,
}

/// <summary>The sizes of the Swin backbone, <c>--swin_type</c>.</summary>
public enum SwinType
{
    /// <summary>96 channels, depths 2-2-6-2.</summary>
    Tiny,

    /// <summary>96 channels, depths 2-2-18-2.</summary>
    Small,

    /// <summary>128 channels, depths 2-2-18-2.</summary>
    Base,

    /// <summary>192 channels, depths 2-2-18-2; pictures only.</summary>
    Large,
}

/// <summary>How fused features flow back into the backbone (the language pathway), <c>--version</c>.</summary>
public enum GateVersion
{
    /// <summary><c>default</c>: x + gate(x_r) * x_r.</summary>
    Default,

    /// <summary><c>no_gate</c>: x + x_r.</summary>
    NoGate,

    /// <summary><c>none</c>: x; nothing flows back.</summary>
    None,
}

/// <summary>How words and pixels are fused, <c>--fuse</c>.</summary>
public enum FuseKind
{
    /// <summary><c>default</c>: pixel-word attention (PWAM).</summary>
    Attention,

    /// <summary><c>simple</c>: the mean of the words through two linear layers.</summary>
    Simple,
}

/// <summary>The norm of the query and of the attended words in PWAM, <c>--att_norm_layer_type</c>.</summary>
public enum AttentionNorm
{
    /// <summary><c>IN</c>: instance norm over a sample's tokens, without affine part.</summary>
    Instance,

    /// <summary><c>BN</c>: batch norm.</summary>
    Batch,

    /// <summary><c>LN</c>: layer norm over the channels.</summary>
    Layer,

    /// <summary><c>none</c>: no norm.</summary>
    None,
}

/// <summary>The last activation of the language gate, <c>--lg_act_layer</c>.</summary>
public enum GateActivation
{
    /// <summary><c>tanh</c>.</summary>
    Tanh,

    /// <summary><c>sigmoid</c>.</summary>
    Sigmoid,
}
