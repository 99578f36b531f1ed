using Lavt.Kernels;

namespace Lavt.Options;

/// <summary>Everything that decides which layers a LAVT model has. Models are built from it alone.</summary>
public sealed record ModelOptions
{
    /// <summary>Frames of an attention window of the video models.</summary>
    public const int FramesOfWindow = 8;

    /// <summary><c>--model</c>.</summary>
    public ModelKind Model { get; init; } = ModelKind.Lavt;

    /// <summary><c>--swin_type</c>.</summary>
    public SwinType SwinType { get; init; } = SwinType.Base;

    /// <summary>Rows and columns of an attention window: 7, or 12 with <c>--window12</c>, or <c>--window</c>.</summary>
    public int Window { get; init; } = 7;

    /// <summary><c>--mha</c>: attention heads of the four PWAMs.</summary>
    public PerStage FusionHeads { get; init; } = new(1, 1, 1, 1);

    /// <summary><c>--version</c>: how fused features flow back into the backbone.</summary>
    public GateVersion Version { get; init; } = GateVersion.Default;

    /// <summary><c>--fuse</c>: how words and pixels are fused.</summary>
    public FuseKind Fuse { get; init; } = FuseKind.Attention;

    /// <summary><c>--hs</c>: stages emit x + gate(x_r) * x_r instead of x_r.</summary>
    public bool HiddenStates { get; init; }

    /// <summary><c>--lazy_pred</c>: stages 2 to 4 emit their features before fusion, and the decoder has two steps.</summary>
    public bool LazyPrediction { get; init; }

    /// <summary><c>--att_norm_layer_type</c>: the norms inside PWAM.</summary>
    public AttentionNorm AttentionNorm { get; init; } = AttentionNorm.Instance;

    /// <summary><c>--lg_act_layer</c>: the gate's last activation.</summary>
    public GateActivation GateActivation { get; init; } = GateActivation.Tanh;

    /// <summary><c>--interpolate_before_seg</c>: enlarge to half the input's size before the last convolution.</summary>
    public bool InterpolateBeforeSegmentation { get; init; }

    /// <summary><c>--seg_last</c>: the last convolution runs after all enlarging.</summary>
    public bool SegmentLast { get; init; }

    /// <summary><c>--fusion_drop</c>: dropout rate behind PWAM's projections.</summary>
    public double FusionDropout { get; init; }

    /// <summary><c>--use_checkpoint</c>: recompute the backbone's blocks in the backward pass to save memory.</summary>
    public bool UseCheckpoint { get; init; }

    /// <summary>The variants of the video models.</summary>
    public VideoFusionOptions Video { get; init; } = new();

    /// <summary><c>--embed_dim</c>: channels of the first stage instead of those of <see cref="SwinType"/>.</summary>
    public int? EmbedDim { get; init; }

    /// <summary><c>--depths</c>: blocks per stage instead of those of <see cref="SwinType"/>.</summary>
    public PerStage? Depths { get; init; }

    /// <summary><c>--heads</c>: backbone heads per stage instead of those of <see cref="SwinType"/>.</summary>
    public PerStage? Heads { get; init; }

    /// <summary><c>--drop_path</c>: the drop-path rate instead of the model's usual one.</summary>
    public double? DropPath { get; init; }

    /// <summary>The text encoder; <c>--bert_hidden</c> and its like make a small one.</summary>
    public BertOptions Bert { get; init; } = new();

    /// <summary>The backbone's dimensions: those of <see cref="SwinType"/> where no override is given.</summary>
    public SwinSize Backbone
    {
        get
        {
            (int embedDim, PerStage depths, PerStage heads) = SwinType switch
            {
                SwinType.Tiny => (96, new PerStage(2, 2, 6, 2), new PerStage(3, 6, 12, 24)),
                SwinType.Small => (96, new PerStage(2, 2, 18, 2), new PerStage(3, 6, 12, 24)),
                SwinType.Base => (128, new PerStage(2, 2, 18, 2), new PerStage(4, 8, 16, 32)),
                _ => (192, new PerStage(2, 2, 18, 2), new PerStage(6, 12, 24, 48)),
            };
            Volume window = new(Model == ModelKind.LavtVideo ? FramesOfWindow : 1, Window, Window);
            return new SwinSize(EmbedDim ?? embedDim, Depths ?? depths, Heads ?? heads, window, DropPath ?? DefaultDropPath);
        }
    }

    /// <summary>Whether the fusion sees the frames of a clip together; otherwise a clip is a batch of pictures.</summary>
    public bool FusesClips => Model == ModelKind.LavtVideo || Video.ImageBackboneVideoPwam;

    /// <summary>
    /// Whether a stage (from 0) has a language gate. The published video backbone has none in the last stage with
    /// <c>--use_checkpoint</c>, for its result would go nowhere.
    /// </summary>
    public bool HasGate(int stage) =>
        Version == GateVersion.Default && !(Model == ModelKind.LavtVideo && UseCheckpoint && stage == PerStage.Count - 1);

    private double DefaultDropPath => Model != ModelKind.LavtVideo
        ? 0.3
        : SwinType switch { SwinType.Tiny => 0.1, SwinType.Small => 0.2, _ => 0.3 };

    /// <summary>The model that a command line describes, such as <c>--model lavt_one --swin_type tiny --window12</c>.</summary>
    /// <param name="commandLine">Flags separated by spaces; those that do not concern the model are read and dropped.</param>
    /// <exception cref="OptionException">A flag is unknown, has a wrong value, or contradicts another one.</exception>
    public static ModelOptions Parse(string commandLine)
    {
        ModelOptions options = LavtFlags.Table.Parse(commandLine, new LavtOptions()).Model;
        options.Validate();
        return options;
    }

    /// <summary>Checks that the options can go together.</summary>
    /// <exception cref="OptionException">They cannot; the message names the flag.</exception>
    public void Validate()
    {
        if (HiddenStates && LazyPrediction)
            throw new OptionException("--lazy_pred", "cannot be combined with --hs; give one of them");
        if (SwinType == SwinType.Large && Model == ModelKind.LavtVideo)
            throw new OptionException("--swin_type", "large exists for pictures only; use tiny, small or base with --model lavt_video");
        if (Window < 1)
            throw new OptionException("--window", $"must be at least 1, got {Window}");
        SwinSize size = Backbone;
        for (int stage = 0; stage < PerStage.Count; stage++)
        {
            int channels = size.Channels(stage);
            RequireDivides("--heads", size.Heads[stage], channels, stage);
            RequireDivides("--mha", FusionHeads[stage], channels, stage);
        }
        if (Video.SumKernelSize.Length > 0 && Video.CatReduceKernelSize.Length > 0)
            throw new OptionException("--sept_cat_reduce_kernel_size", "cannot be combined with --sept_sum_3_kernel_size; give one of them");
        if (Model == ModelKind.LavtVideo && (Video.ImageBackbone || Video.ImageBackboneVideoPwam))
            throw new OptionException(Video.ImageBackbone ? "--ytvos_2d_swin_pwam" : "--ytvos_2d_swin_3d_pwam", "is for the picture models; use it with --model lavt_one");
        if (Bert.HiddenSize % Bert.Heads != 0)
            throw new OptionException("--bert_heads", $"{Bert.Heads} heads do not divide {Bert.HiddenSize} channels");
    }

    private static void RequireDivides(string flag, int heads, int channels, int stage)
    {
        if (channels % heads != 0)
            throw new OptionException(flag, $"{heads} heads do not divide the {channels} channels of stage {stage + 1}");
    }
}
