using Lavt.Kernels;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Weights;
using Xunit;

namespace Lavt.Tests.Weights;

/// <summary>Where a video model's weights come from: its own checkpoints, Video Swin, picture models.</summary>
public sealed class VideoWeightsTests : IDisposable
{
    private const string Table = "layers.0.blocks.0.attn.relative_position_bias_table";
    private const string Qkv = "layers.0.blocks.0.attn.qkv.weight";
    private const string Patch = "patch_embed.proj.weight";
    private const string Sizes = " --embed_dim 16 --depths 1-1-1-1 --heads 1-2-4-8 --window 3 --drop_path 0.1 --bert_vocabulary 30 --bert_hidden 16 --bert_layers 1 --bert_heads 2 --bert_intermediate 32 --bert_positions 22";
    private readonly string _folder = Directory.CreateTempSubdirectory("lavt-video").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("")]
    [InlineData("--fuse simple")]
    [InlineData("--t_pwam --conv3d_kernel_size 3-3-3")]
    [InlineData("--t_pwam --fuse simple")]
    [InlineData("--t_pwam_comp --att_norm_layer_type BN")]
    [InlineData("--ts_pwam --tspwam_sum")]
    [InlineData("--ts_pwam --cat_reduce_3 --w_3x3")]
    [InlineData("--ts_pwam --mm_3x3 --conv3d_kernel_size 3-3-3")]
    [InlineData("--sep_t_pwam")]
    [InlineData("--sep_t_pwam --conv3d_kernel_size_t 3-3-3 --conv3d_kernel_size_s 1-1-1 --w_t3x3_s1x1 --mm_t3x3_s1x1")]
    [InlineData("--sep_t_pwam --w_3 --mm_3x3 --conv3d_kernel_size_s 1-3-3")]
    [InlineData("--sep_t_pwam --w_3 --mm_3 --conv3d_kernel_size_t 1-3-3")]
    [InlineData("--sep_t_pwam --sept_sum_3_kernel_size 3-1-1 --s_tanh_plus_1_gate_1_q --t_tanh_plus_1_gate_1_v")]
    [InlineData("--sep_t_pwam --sept_cat_reduce_kernel_size 1-3-3 --t_tanh_plus_1_gate_1_q --s_tanh_plus_1_gate_1_v")]
    [InlineData("--sep_t_pwam_inner --conv3d_kernel_size_t 3-3-3")]
    [InlineData("--seq_t_pwam --res")]
    [InlineData("--sep_seq_t_pwam --res --conv3d_kernel_size_sq 3-3-3")]
    [InlineData("--sep_seq_t_pwam_inner")]
    [InlineData("--sep_t_pwam --use_checkpoint")]
    [InlineData("--sep_t_pwam --lazy_pred")]
    public void The_variant_is_read_from_the_file(string flags)
    {
        ModelOptions options = ModelOptions.Parse("--model lavt_video " + flags + Sizes);
        LavtCheckpoint checkpoint = LavtCheckpoint.Read(Write(new LavtModel(options, new RandomSource(1)), options));
        Assert.Equal(options, ModelInference.Infer(checkpoint, new ModelOptions(), new HashSet<string>()));
    }

    [Theory]
    [InlineData("--ytvos_2d_swin_pwam")]
    [InlineData("--ytvos_2d_swin_3d_pwam --sep_t_pwam")]
    [InlineData("--ytvos_2d_swin_3d_pwam")]
    public void Picture_models_on_clips_are_read_from_the_file(string flags)
    {
        ModelOptions options = ModelOptions.Parse("--model lavt_one " + flags + Sizes);
        LavtCheckpoint checkpoint = LavtCheckpoint.Read(Write(new LavtModel(options, new RandomSource(1)), options));
        Assert.Equal(options, ModelInference.Infer(checkpoint, new ModelOptions(), new HashSet<string>()));
    }

    [Fact]
    public void A_command_line_without_the_variant_gets_that_of_the_weights_and_says_so()
    {
        const string Published = "--model lavt_video --conv3d_kernel_size_t 3-3-3 --conv3d_kernel_size_s 1-1-1 --w_t3x3_s1x1 --mm_t3x3_s1x1";
        ModelOptions trained = ModelOptions.Parse(Published + " --sep_t_pwam" + Sizes), asked = ModelOptions.Parse(Published + Sizes);
        // Also where the file has no arguments.
        LavtCheckpoint checkpoint = LavtCheckpoint.Read(Write(new LavtModel(trained, new RandomSource(1)), null));
        HashSet<string> given = ["--model", "--conv3d_kernel_size_t", "--conv3d_kernel_size_s", "--w_t3x3_s1x1", "--mm_t3x3_s1x1"];
        ModelOptions found = ModelInference.Infer(checkpoint, asked, given);
        Assert.Equal(trained, found);
        Assert.Equal(["--sep_t_pwam"], ModelInference.Found(asked, found));
        WeightFileException error = Assert.Throws<WeightFileException>(() => ModelInference.Infer(checkpoint, asked with { Video = asked.Video with { WT3x3S1x1 = false, W3 = true } }, new HashSet<string> { "--w_3" }));
        Assert.Contains("--w_3", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Video_Swin_weights_start_a_backbone()
    {
        LavtModel model = new(ModelOptions.Parse("--model lavt_video --sep_t_pwam" + Sizes), new RandomSource(1));
        Dictionary<string, Tensor> classifier = model.Backbone.State().Where(e => e.IsParameter && !e.Name.Contains("fusion", StringComparison.Ordinal) && !e.Name.Contains("res_gate", StringComparison.Ordinal) && !e.Name.StartsWith("norm", StringComparison.Ordinal))
            .ToDictionary(e => $"backbone.{e.Name}", e => Random(e.Value.Shape));
        Tensor pairs = Random([16, 3, 2, 4, 4]);
        classifier[$"backbone.{Patch}"] = pairs;
        classifier[$"backbone.{Table}"] = Random([15 * 7 * 7, 1]); // of a window of 8 x 4 x 4
        classifier["backbone.norm.weight"] = Random([128]);
        classifier["cls_head.fc_cls.weight"] = Random([400, 128]);
        string path = Path.Combine(_folder, "swin.pth");
        PthFile.Write(path, new PickleDict { ["state_dict"] = classifier });
        PretrainedSwin.Load(model.Backbone, path);
        Dictionary<string, Tensor> own = model.Backbone.State().ToDictionary(e => e.Name, e => e.Value);
        Assert.Equal(classifier[$"backbone.{Qkv}"].ToArray<float>(), own[Qkv].ToArray<float>());
        float[] expected = [.. Enumerable.Range(0, 16 * 3 * 16).Select(i => (float)((double)pairs.Span<float>()[i / 16 * 32 + i % 16] + pairs.Span<float>()[i / 16 * 32 + 16 + i % 16]))];
        Assert.Equal(expected, own[Patch].ToArray<float>());
        // Each distance in time is resized as a table of pictures is.
        float[] resized = own[Table].ToArray<float>();
        for (int t = 0; t < 15; t++)
        {
            Tensor slice = classifier[$"backbone.{Table}"].ViewSlice(0, t * 49, 49).Copy();
            Assert.Equal(BiasTables.Resize(slice, Volume.Picture(3, 3)).ToArray<float>(), resized[(t * 25)..((t + 1) * 25)]);
        }
    }

    [Theory]
    [InlineData("lavt_one", true)]
    [InlineData("lavt_one", false)]
    [InlineData("lavt", true)]
    public void A_picture_model_starts_a_video_model(string kind, bool withFusion)
    {
        ModelOptions pictures = ModelOptions.Parse($"--model {kind}" + Sizes.Replace("--window 3", "--window 4", StringComparison.Ordinal));
        LavtModel source = new(pictures, new RandomSource(1));
        string path = Write(source, pictures);
        LavtModel model = new(ModelOptions.Parse("--model lavt_video" + Sizes), new RandomSource(2));
        Dictionary<string, Tensor> from = source.State().Concat(kind == "lavt" ? source.TextEncoder.State("text_encoder.") : []).ToDictionary(e => e.Name, e => e.Value);
        Dictionary<string, Tensor> own = model.State().ToDictionary(e => e.Name, e => e.Value);
        const string Fusion = "backbone.layers.1.fusion.image_lang_att.f_query.0.weight";
        float[] before = own[Fusion].ToArray<float>();

        PretrainedLavt.Load(model, withFusion ? new WeightOptions { PretrainedImageLavt = path } : new WeightOptions { PretrainedImageLavtWithoutFusion = path });
        foreach (string key in (string[])[$"backbone.{Qkv}", $"backbone.{Patch}", "classifier.conv1_4.weight", "text_encoder.embeddings.word_embeddings.weight"])
            Assert.Equal(from[key].ToArray<float>(), own[key].ToArray<float>());
        Assert.Equal(withFusion ? from[Fusion].ToArray<float>() : before, own[Fusion].ToArray<float>());
        float[] table = BiasTables.Resize(from[$"backbone.{Table}"], Volume.Picture(3, 3)).ToArray<float>();
        Assert.Equal([.. Enumerable.Repeat(table, 15).SelectMany(t => t)], own[$"backbone.{Table}"].ToArray<float>());
    }

    [Fact]
    public void A_fusion_of_other_shapes_is_an_error_that_names_the_other_flag()
    {
        ModelOptions pictures = ModelOptions.Parse("--model lavt_one" + Sizes);
        string path = Write(new LavtModel(pictures, new RandomSource(1)), pictures);
        LavtModel model = new(ModelOptions.Parse("--model lavt_video --sep_t_pwam --mm_3x3" + Sizes), new RandomSource(2));
        WeightFileException error = Assert.Throws<WeightFileException>(() => PretrainedLavt.Load(model, new WeightOptions { PretrainedImageLavt = path }));
        Assert.Contains("--pretrained2d_lavt_weights_for_a_3d_model", error.Message, StringComparison.Ordinal);
        PretrainedLavt.Load(model, new WeightOptions { PretrainedImageLavtWithoutFusion = path });
    }

    [Fact]
    public void A_video_model_starts_another_strictly_or_not()
    {
        ModelOptions plain = ModelOptions.Parse("--model lavt_video" + Sizes);
        LavtModel source = new(plain, new RandomSource(1));
        string path = Write(source, plain);
        LavtModel same = new(plain, new RandomSource(2)), other = new(ModelOptions.Parse("--model lavt_video --sep_t_pwam" + Sizes), new RandomSource(2));
        WeightOptions weights = new() { PretrainedVideoLavt = path };
        PretrainedLavt.Load(same, weights);
        foreach ((StateEntry a, StateEntry b) in source.State().Zip(same.State()).Where(p => p.First.IsParameter)) Assert.Equal(a.Value.ToArray<float>(), b.Value.ToArray<float>());
        Assert.Contains("--ckpt", Assert.Throws<WeightFileException>(() => PretrainedLavt.Load(other, weights)).Message, StringComparison.Ordinal);
        PretrainedLavt.Load(other, weights with { NotStrict = true });
        Assert.Equal(Value(source), Value(other));
        Assert.Throws<OptionException>(() => PretrainedLavt.Load(other, weights with { PretrainedImageLavt = path }));

        static float[] Value(LavtModel model) => model.State().First(e => e.Name == $"backbone.{Qkv}").Value.ToArray<float>();
    }

    [Theory]
    [InlineData(2535, 8, 8, 7)]
    [InlineData(7935, 8, 8, 12)]
    [InlineData(5239, 8, 16, 7)]
    [InlineData(169, 8, 1, 7)]
    [InlineData(529, 1, 1, 12)]
    public void A_tables_window_is_known_from_its_rows(int rows, int expected, int frames, int side) =>
        Assert.Equal(new Volume(frames, side, side), BiasTables.WindowOf(rows, expected));

    private static Tensor Random(Shape shape)
    {
        Tensor tensor = Tensor.Empty(shape);
        new RandomSource((ulong)shape.Count).FillUniform(tensor.Span<float>(), -1, 1);
        return tensor;
    }

    private string Write(LavtModel model, ModelOptions? options)
    {
        PickleDict tree = new() { ["model"] = model.State().ToDictionary(e => e.Name, e => e.Value) };
        if (model.Options.Model == ModelKind.Lavt) tree["bert_model"] = model.TextEncoder.State().ToDictionary(e => e.Name, e => e.Value);
        if (options is not null)
        {
            PickleDict args = new();
            foreach ((string key, object value) in ModelFlags.Table.ToArgs(options)) args[key] = value;
            tree["args"] = args;
        }
        string path = Path.Combine(_folder, "weights.pth");
        PthFile.Write(path, tree);
        return path;
    }
}
