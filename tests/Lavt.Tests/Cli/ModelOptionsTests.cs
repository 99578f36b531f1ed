using Lavt.Kernels;
using Lavt.Options;
using Xunit;

namespace Lavt.Tests.Cli;

public class ModelOptionsTests
{
    [Fact]
    public void Defaults_are_those_of_the_published_parser()
    {
        ModelOptions options = ModelOptions.Parse("");
        Assert.Equal(ModelKind.Lavt, options.Model);
        Assert.Equal(new SwinSize(128, new PerStage(2, 2, 18, 2), new PerStage(4, 8, 16, 32), Volume.Picture(7, 7), 0.3), options.Backbone);
        Assert.Equal(new PerStage(1, 1, 1, 1), options.FusionHeads);
        Assert.Equal(new ModelOptions(), options);
    }

    [Fact]
    public void A_command_line_sets_what_it_names()
    {
        ModelOptions options = ModelOptions.Parse(
            "--model lavt_one --swin_type tiny --window12 --mha 1-2-4-8 --version no_gate --fuse simple --lazy_pred "
            + "--att_norm_layer_type LN --lg_act_layer sigmoid --interpolate-before-seg --seg_last --fusion_drop 0.25 --use_checkpoint");
        Assert.Equal(ModelKind.LavtOne, options.Model);
        Assert.Equal(12, options.Window);
        Assert.Equal(96, options.Backbone.EmbedDim);
        Assert.Equal(new PerStage(1, 2, 4, 8), options.FusionHeads);
        Assert.Equal(GateVersion.NoGate, options.Version);
        Assert.Equal(FuseKind.Simple, options.Fuse);
        Assert.Equal(AttentionNorm.Layer, options.AttentionNorm);
        Assert.Equal(GateActivation.Sigmoid, options.GateActivation);
        Assert.True(options.LazyPrediction && options.InterpolateBeforeSegmentation && options.SegmentLast && options.UseCheckpoint);
        Assert.False(options.HiddenStates);
        Assert.Equal(0.25, options.FusionDropout);
    }

    [Fact]
    public void A_small_model_survives_a_checkpoints_args()
    {
        ModelOptions small = ModelOptions.Parse(
            "--model lavt_one --embed_dim 32 --depths 2-2-2-2 --heads 1-2-4-8 --window 5 --drop_path 0 --hs --bert_hidden 64 --bert_layers 2 --bert_heads 4");
        Assert.Equal(new SwinSize(32, new PerStage(2, 2, 2, 2), new PerStage(1, 2, 4, 8), Volume.Picture(5, 5), 0), small.Backbone);
        var args = ModelFlags.Table.ToArgs(small).ToDictionary(pair => pair.Key, pair => (object?)pair.Value);
        Assert.Equal(false, args["window12"]);
        Assert.Equal(32L, args["embed_dim"]);
        Assert.Equal(small, ModelFlags.Table.FromArgs(key => args.GetValueOrDefault(key), new ModelOptions(), new HashSet<string>()));
    }

    [Theory]
    [InlineData("--model lavt_two", "--model: expected lavt, lavt_one, lavt_video, got 'lavt_two'")]
    [InlineData("--mha 4-4-4", "--mha: expected four whole numbers like 4-4-4-4, got '4-4-4'")]
    [InlineData("--mha 5-5-5-5", "--mha: 5 heads do not divide the 128 channels of stage 1")]
    [InlineData("--hs --lazy_pred", "--lazy_pred: cannot be combined with --hs; give one of them")]
    [InlineData("--window 0", "--window: expected a whole number of at least 1, got '0'")]
    [InlineData("--fusion_drop nan", "--fusion_drop: expected a number of at least 0, got 'nan'")]
    [InlineData("--swin_typ tiny", "--swin_typ: no such flag")]
    [InlineData("--swin_type", "--swin_type: needs a value: tiny|small|base|large")]
    [InlineData("--conv3d_kernel_size_t 3-3", "--conv3d_kernel_size_t: expected three sizes of 1 or 3 like 3-3-3 (depth, height, width), got '3-3'")]
    public void Wrong_flags_are_named(string commandLine, string message) =>
        Assert.Equal(message, Assert.Throws<OptionException>(() => ModelOptions.Parse(commandLine)).Message);
}
