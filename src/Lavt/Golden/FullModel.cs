using System.Globalization;
using Lavt.Autograd;
using Lavt.Models;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>The model of a golden file of the folder <c>full</c>, with its weights and inputs.</summary>
internal sealed class FullModel
{
    private readonly GoldenFile _file;
    private readonly ModelOptions _options;
    private readonly int _batch, _height, _width, _words;
    private readonly int? _frames;

    private FullModel(GoldenFile file, ModelOptions options, Device device)
    {
        _file = file;
        _options = options;
        (_batch, _height, _width, _words) = (file.Int("batch"), file.Int("height"), file.Int("width"), file.Int("words"));
        _frames = file.Int("frames") is > 0 and var frames ? frames : null;
        Model = new LavtModel(options, RandomSource.None);
        GoldenFile.SetParameters(Model);
        Model.MoveTo(device);
    }

    /// <summary>The model.</summary>
    public LavtModel Model { get; }

    /// <summary>Builds the model of a file.</summary>
    public static FullModel Open(GoldenFile file, Device device = default)
    {
        ModelOptions options = ModelOptions.Parse(file["command"]);
        // The language features of `lavt` are an input; its BERT is not a part of the file.
        if (options.Model == ModelKind.Lavt) options = options with { Bert = options.Bert with { Layers = 0, VocabularySize = 1 } };
        return new FullModel(file, options, device);
    }

    /// <summary>Word features [B, L, 768], from BERT or, for <c>lavt</c>, the input.</summary>
    public Tensor Language() => _options.Model != ModelKind.Lavt
        ? Model.TextEncoder.Forward(Ops.To(Ids(), Model.Device), Ops.To(Mask(), Model.Device))
        : Ops.To(Deterministic.Uniform("input.language", [_batch, _options.Bert.HiddenSize, _words]).ViewPermuted(0, 2, 1).Copy(), Model.Device);

    /// <summary>The stages' maps.</summary>
    public FeatureMap?[] Maps(Tensor language)
    {
        Shape shape = _frames is { } frames ? [_batch, frames, 3, _height, _width] : [_batch, 3, _height, _width];
        return Model.Backbone.Forward(Model.Prefix(Ops.To(Deterministic.Uniform("input.image", shape, -2, 2), Model.Device)), language, Ops.To(Mask(), Model.Device));
    }

    /// <summary>Logits [B·T, 2, H, W] of the stages' maps, on the host.</summary>
    public Tensor Logits(FeatureMap?[] maps) => Ops.To(Model.Decode(maps, _height, _width), Device.Cpu).ViewPermuted(0, 3, 1, 2).Copy();

    private Tensor Mask() =>
        Masks.FirstWords(_words, [.. _file["valid_words"].Split(',').Select(v => int.Parse(v, CultureInfo.InvariantCulture))]);

    private Tensor Ids()
    {
        Tensor ids = Deterministic.Integers("input.ids", [_batch, _words], 0, _options.Bert.VocabularySize);
        Span<long> values = ids.Span<long>();
        Span<float> mask = Mask().Span<float>();
        for (int i = 0; i < values.Length; i++) values[i] *= (long)mask[i];
        return ids;
    }
}
