namespace Lavt.Options;

/// <summary>The flags that decide the model's layers.</summary>
public static class ModelFlags
{
    /// <summary>All of them, with the published parsers' names and defaults.</summary>
    public static FlagTable<ModelOptions> Table { get; } = new FlagTable<ModelOptions>()
        .Group("Model")
        .Choice("--model", "Which model.", o => o.Model, (o, v) => o with { Model = v },
            ("lavt", ModelKind.Lavt), ("lavt_one", ModelKind.LavtOne), ("lavt_video", ModelKind.LavtVideo))
        .Choice("--swin_type", "Size of the Swin backbone.", o => o.SwinType, (o, v) => o with { SwinType = v },
            ("tiny", SwinType.Tiny), ("small", SwinType.Small), ("base", SwinType.Base), ("large", SwinType.Large))
        .Switch("--window12", "Attention windows of 12 x 12 instead of 7 x 7.",
            o => o.Window == 12, (o, v) => v ? o with { Window = 12 } : o)
        .Integer("--window", "Attention windows of N x N.", o => o.Window, (o, v) => o with { Window = v })
        .Text("--mha", "A-B-C-D", "Attention heads of the four PWAMs; 1-1-1-1 when not given.",
            o => o.FusionHeads == new PerStage(1, 1, 1, 1) ? "" : o.FusionHeads.ToString(),
            (o, v) => o with { FusionHeads = v.Length == 0 ? new PerStage(1, 1, 1, 1) : PerStage.Parse(v) })
        .Choice("--version", "How fused features flow back into the backbone.", o => o.Version, (o, v) => o with { Version = v },
            ("default", GateVersion.Default), ("no_gate", GateVersion.NoGate), ("none", GateVersion.None))
        .Choice("--fuse", "How words and pixels are fused.", o => o.Fuse, (o, v) => o with { Fuse = v },
            ("default", FuseKind.Attention), ("simple", FuseKind.Simple))
        .Switch("--hs", "Predict from the sum of visual and fused features.", o => o.HiddenStates, (o, v) => o with { HiddenStates = v })
        .Switch("--lazy_pred", "Predict from the stages' own features.", o => o.LazyPrediction, (o, v) => o with { LazyPrediction = v })
        .Choice("--att_norm_layer_type", "Norms inside PWAM.", o => o.AttentionNorm, (o, v) => o with { AttentionNorm = v },
            ("IN", AttentionNorm.Instance), ("BN", AttentionNorm.Batch), ("LN", AttentionNorm.Layer), ("none", AttentionNorm.None))
        .Choice("--lg_act_layer", "Last activation of the language gate.", o => o.GateActivation, (o, v) => o with { GateActivation = v },
            ("tanh", GateActivation.Tanh), ("sigmoid", GateActivation.Sigmoid))
        .Switch("--interpolate_before_seg", "Enlarge to half the input's size before the last convolution.",
            o => o.InterpolateBeforeSegmentation, (o, v) => o with { InterpolateBeforeSegmentation = v })
        .Switch("--seg_last", "Run the last convolution after all enlarging.", o => o.SegmentLast, (o, v) => o with { SegmentLast = v })
        .Number("--fusion_drop", "Dropout rate of the PWAMs.", o => o.FusionDropout, (o, v) => o with { FusionDropout = v })
        .Switch("--use_checkpoint", "Recompute backbone blocks in the backward pass to save memory.",
            o => o.UseCheckpoint, (o, v) => o with { UseCheckpoint = v })
        .Group("Video fusion").Include(VideoFusionFlags.Table, o => o.Video, (o, v) => o with { Video = v })
        .Group("Small models")
        .Integer("--embed_dim", "Channels of the first stage.", o => o.EmbedDim, (o, v) => o with { EmbedDim = v })
        .Text("--depths", "A-B-C-D", "Blocks per stage.",
            o => o.Depths?.ToString(), (o, v) => o with { Depths = PerStage.Parse(v) })
        .Text("--heads", "A-B-C-D", "Backbone heads per stage.",
            o => o.Heads?.ToString(), (o, v) => o with { Heads = PerStage.Parse(v) })
        .Number("--drop_path", "Drop-path rate; 0.3 for pictures when not given.", o => o.DropPath, (o, v) => o with { DropPath = v })
        .Include(BertFlags, o => o.Bert, (o, v) => o with { Bert = v });

    private static FlagTable<BertOptions> BertFlags => new FlagTable<BertOptions>()
        .Integer("--bert_vocabulary", "Entries of BERT's vocabulary.",
            o => o.VocabularySize, (o, v) => o with { VocabularySize = v })
        .Integer("--bert_hidden", "Channels of a word in BERT.", o => o.HiddenSize, (o, v) => o with { HiddenSize = v })
        .Integer("--bert_layers", "Layers of BERT.", o => o.Layers, (o, v) => o with { Layers = v })
        .Integer("--bert_heads", "Attention heads of BERT.", o => o.Heads, (o, v) => o with { Heads = v })
        .Integer("--bert_intermediate", "Channels inside BERT's blocks.",
            o => o.IntermediateSize, (o, v) => o with { IntermediateSize = v })
        .Integer("--bert_positions", "Longest text of BERT.", o => o.Positions, (o, v) => o with { Positions = v })
        .Number("--bert_dropout", "BERT's dropout rate in training.", o => o.Dropout, (o, v) => o with { Dropout = v });
}
