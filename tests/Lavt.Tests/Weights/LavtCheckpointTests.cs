using Lavt.Evaluation;
using Lavt.Kernels;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Weights;
using Xunit;

namespace Lavt.Tests.Weights;

/// <summary>Which model a checkpoint is of, what does not fit, and both file formats.</summary>
public sealed class LavtCheckpointTests : IDisposable
{
    private static readonly HashSet<string> Nothing = [];
    private readonly string _folder = Directory.CreateTempSubdirectory("lavt-checkpoint").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("--model lavt_one --embed_dim 16 --depths 1-1-2-1 --heads 1-2-4-8 --window 5 --mha 1-2-4-8")]
    [InlineData("--model lavt --embed_dim 16 --depths 1-1-1-1 --heads 1-2-4-8 --version none --fuse simple")]
    [InlineData("--model lavt_one --embed_dim 16 --depths 1-1-1-1 --heads 1-2-4-8 --lazy_pred --att_norm_layer_type BN")]
    [InlineData("--model lavt --embed_dim 16 --depths 1-1-1-1 --heads 1-2-4-8 --att_norm_layer_type LN --interpolate_before_seg --seg_last --version no_gate")]
    [InlineData("--model lavt_one --embed_dim 16 --depths 1-1-1-1 --heads 1-2-4-8 --hs --lg_act_layer sigmoid --att_norm_layer_type none --window12")]
    public void The_model_is_read_from_the_file(string flags)
    {
        ModelOptions options = Small(flags);
        foreach (string name in (string[])["weights.pth", "weights.safetensors"])
        {
            LavtCheckpoint checkpoint = LavtCheckpoint.Read(Write(options, name));
            Assert.Equal(options, ModelInference.Infer(checkpoint, new ModelOptions(), Nothing));
        }
    }

    [Fact]
    public void Both_formats_hold_the_same_bits()
    {
        string pth = Write(Small("--model lavt --embed_dim 16 --depths 1-1-1-1 --heads 1-2-4-8"), "a.pth"), again = Path.Combine(_folder, "b.pth");
        string safetensors = Path.Combine(_folder, "a.safetensors");
        LavtCheckpoint.Read(pth).WriteWeights(safetensors);
        LavtCheckpoint.Read(safetensors).WriteWeights(again);
        (LavtCheckpoint first, LavtCheckpoint second) = (LavtCheckpoint.Read(pth), LavtCheckpoint.Read(again));
        Assert.Equal(first.Model.Keys.Order(StringComparer.Ordinal), second.Model.Keys.Order(StringComparer.Ordinal));
        foreach ((string key, Tensor value) in first.Model.Where(e => e.Value.DType == DType.F32)) Assert.Equal(value.ToArray<float>(), second.Model[key].ToArray<float>());
        foreach ((string key, Tensor value) in first.Bert!) Assert.Equal(value.ToArray<float>(), second.Bert![key].ToArray<float>());
    }

    [Fact]
    public void A_given_flag_that_contradicts_the_weights_is_an_error_that_names_it()
    {
        LavtCheckpoint checkpoint = LavtCheckpoint.Read(Write(Small("--model lavt_one --embed_dim 16 --depths 1-1-1-1 --heads 1-2-4-8"), "a.pth"));
        WeightFileException error = Assert.Throws<WeightFileException>(() => ModelInference.Infer(checkpoint, new ModelOptions { Window = 12, Model = ModelKind.Lavt }, new HashSet<string> { "--window", "--model" }));
        Assert.Contains("--window", error.Message, StringComparison.Ordinal);
        Assert.Contains("--model", error.Message, StringComparison.Ordinal);
        Assert.Contains("a.pth", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_does_not_fit_is_one_report()
    {
        LavtModel model = new(Small("--model lavt_one --embed_dim 16 --depths 1-1-1-1 --heads 1-2-4-8"), new RandomSource(1));
        Dictionary<string, Tensor> state = model.State().ToDictionary(e => e.Name, e => e.Value.Copy());
        state.Remove("classifier.conv1_1.bias");
        state["head.weight"] = Tensor.Zeros([3]);
        state["backbone.norm1.weight"] = Tensor.Zeros([7]);
        LoadReport report = StateLoader.Load(model, state, "some.pth");
        Assert.Equal(["classifier.conv1_1.bias"], report.Missing);
        Assert.Equal(["head.weight"], report.Unexpected);
        Assert.Contains("backbone.norm1.weight is [7] in the file, [32] in the model", report.Mismatched);
        string message = Assert.Throws<WeightFileException>(() => report.ThrowUnlessComplete("do something")).Message;
        Assert.Contains("some.pth", message, StringComparison.Ordinal);
        Assert.Contains("missing (1): classifier.conv1_1.bias", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("backbone.patch_embed.proj.weight")]
    [InlineData("backbone.layers.0.blocks.0.attn.relative_position_bias_table")]
    [InlineData("backbone.layers.2.blocks.0.attn.relative_position_bias_table")]
    [InlineData("text_encoder.embeddings.word_embeddings.weight")]
    [InlineData("text_encoder.embeddings.position_embeddings.weight")]
    [InlineData("text_encoder.encoder.layer.0.intermediate.dense.weight")]
    public void A_tensor_that_is_missing_or_of_another_shape_is_named(string key)
    {
        ModelOptions options = Small("--model lavt_one --embed_dim 16 --depths 1-1-1-1 --heads 1-2-4-8");
        LavtCheckpoint whole = LavtCheckpoint.Read(Write(options, "whole.pth"));
        string path = Path.Combine(_folder, "broken.pth");
        foreach (Tensor? instead in new[] { null, Tensor.Zeros([]), Tensor.Zeros([0, 0, 0, 0]), Tensor.Zeros([7, 4]) })
        {
            Dictionary<string, Tensor> changed = new(whole.Model);
            if (instead is null) changed.Remove(key);
            else changed[key] = instead;
            PthFile.Write(path, new PickleDict { ["model"] = changed, ["args"] = whole.Args });
            string message = Assert.Throws<WeightFileException>(() => TrainedModel.Load(new LavtOptions { Weights = new WeightOptions { Resume = path } })).Message;
            Assert.StartsWith(path, message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_file_of_another_model_is_refused()
    {
        string path = Path.Combine(_folder, "other.pth");
        PthFile.Write(path, new PickleDict { ["model"] = new Dictionary<string, Tensor> { ["conv1.weight"] = Tensor.Zeros([2, 3]) } });
        Assert.Contains("holds no LAVT model", Assert.Throws<WeightFileException>(() => ModelInference.Infer(LavtCheckpoint.Read(path), new ModelOptions(), Nothing)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_optimizer_that_is_not_wanted_is_not_read()
    {
        string path = Path.Combine(_folder, "a.pth");
        PthFile.Write(path, new PickleDict { ["model"] = new Dictionary<string, Tensor> { ["a"] = Tensor.Zeros([2]) }, ["optimizer"] = new PickleDict { ["m"] = Tensor.Zeros([2]) } });
        Assert.False(LavtCheckpoint.Read(path).Tree.TryGet<PickleDict>("optimizer", out _));
        Assert.True(LavtCheckpoint.Read(path, withOptimizer: true).Tree.TryGet<PickleDict>("optimizer", out _));
    }

    [Fact]
    public void Swin_weights_start_a_backbone_and_other_windows_are_resized()
    {
        LavtModel model = new(Small("--model lavt --embed_dim 16 --depths 1-1-1-1 --heads 1-2-4-8 --window 5"), new RandomSource(1));
        SwinBackbone other = new(Small("--model lavt --embed_dim 16 --depths 1-1-1-1 --heads 1-2-4-8 --window 7"), new RandomSource(2));
        Dictionary<string, Tensor> classifier = other.State().Where(e => !e.Name.Contains("fusion", StringComparison.Ordinal) && !e.Name.Contains("res_gate", StringComparison.Ordinal)).ToDictionary(e => "module." + e.Name, e => e.Value);
        classifier["module.head.weight"] = Tensor.Zeros([10, 128]);
        string path = Path.Combine(_folder, "swin.pth");
        PthFile.Write(path, new PickleDict { ["model"] = classifier });
        PretrainedSwin.Load(model.Backbone, path);
        Dictionary<string, Tensor> own = model.Backbone.State().ToDictionary(e => e.Name, e => e.Value);
        Assert.Equal(classifier["module.layers.0.blocks.0.attn.qkv.weight"].ToArray<float>(), own["layers.0.blocks.0.attn.qkv.weight"].ToArray<float>());
        Tensor table = classifier["module.layers.0.blocks.0.attn.relative_position_bias_table"];
        Assert.Equal(BiasTables.Resize(table, Volume.Picture(5, 5)).ToArray<float>(), own["layers.0.blocks.0.attn.relative_position_bias_table"].ToArray<float>());
    }

    [Fact]
    public void A_bias_table_that_is_constant_stays_so_and_the_same_size_is_a_copy()
    {
        Tensor table = Tensor.From([.. Enumerable.Repeat(0.5f, 169 * 2)], [169, 2]);
        Assert.All(BiasTables.Resize(table, Volume.Picture(12, 12)).ToArray<float>(), v => Assert.Equal(0.5f, v, 1e-6f));
        new RandomSource(4).FillUniform(table.Span<float>(), -1, 1);
        Assert.Equal(table.ToArray<float>(), BiasTables.Resize(table, Volume.Picture(7, 7)).ToArray<float>());
    }

    [Fact]
    public void A_BERT_folder_is_loaded_with_old_names_too()
    {
        BertOptions options = new() { VocabularySize = 30, HiddenSize = 16, Layers = 1, Heads = 2, IntermediateSize = 32, Positions = 8 };
        Bert source = new(options, new RandomSource(5)), target = new(options, new RandomSource(6));
        PthFile.Write(Path.Combine(_folder, "pytorch_model.bin"), source.State().ToDictionary(
            e => "bert." + e.Name.Replace("LayerNorm.weight", "LayerNorm.gamma", StringComparison.Ordinal).Replace("LayerNorm.bias", "LayerNorm.beta", StringComparison.Ordinal), e => e.Value));
        File.WriteAllText(Path.Combine(_folder, "config.json"), """{"vocab_size": 30, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 8}""");
        Assert.Equal(options, BertFolder.ReadConfig(_folder));
        BertFolder.Load(target, _folder);
        foreach ((StateEntry a, StateEntry b) in source.State().Zip(target.State())) Assert.Equal(a.Value.ToArray<float>(), b.Value.ToArray<float>());
        Assert.Contains("--ck_bert", Assert.Throws<WeightFileException>(() => BertFolder.ReadConfig(Path.Combine(_folder, "none"))).Message, StringComparison.Ordinal);
    }

    private static ModelOptions Small(string flags) =>
        ModelOptions.Parse(flags + " --drop_path 0.1 --bert_vocabulary 30 --bert_hidden 16 --bert_layers 1 --bert_heads 2 --bert_intermediate 32 --bert_positions 20");

    /// <summary>A checkpoint as training writes it, with the model's flags as <c>args</c>.</summary>
    private string Write(ModelOptions options, string name)
    {
        LavtModel model = new(options, new RandomSource(1));
        PickleDict args = new();
        foreach ((string key, object value) in ModelFlags.Table.ToArgs(options)) args[key] = value;
        PickleDict tree = new() { ["model"] = model.State().ToDictionary(e => e.Name, e => e.Value), ["args"] = args };
        if (options.Model == ModelKind.Lavt) tree["bert_model"] = model.TextEncoder.State().ToDictionary(e => e.Name, e => e.Value);
        string pth = Path.Combine(_folder, "whole.pth"), path = Path.Combine(_folder, name);
        PthFile.Write(pth, tree);
        LavtCheckpoint.Read(pth).WriteWeights(path);
        return path;
    }
}
