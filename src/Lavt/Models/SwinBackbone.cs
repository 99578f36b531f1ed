using Lavt.Autograd;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>A map of features, channels last.</summary>
/// <param name="Tokens">[B, H·W, C].</param>
/// <param name="Height">Rows, H.</param>
/// <param name="Width">Columns, W.</param>
public readonly record struct FeatureMap(Tensor Tokens, int Height, int Width)
{
    /// <summary>The same numbers as [B, H, W, C].</summary>
    public Tensor AsMap() => Ops.Reshape(Tokens, [Tokens.Shape[0], Height, Width, Tokens.Shape[2]]);
}

/// <summary>The language-aware Swin transformer: four stages, each fusing the sentence into its map.</summary>
public sealed class SwinBackbone : Module
{
    private readonly PatchEmbedding _patchEmbedding;
    private readonly ModuleList<SwinStage> _stages;
    private readonly LayerNorm?[] _norms = new LayerNorm?[PerStage.Count];

    /// <summary>The backbone that <paramref name="options"/> describe, with the initial values of the published code.</summary>
    public SwinBackbone(ModelOptions options, RandomSource random)
    {
        SwinSize size = options.Backbone;
        _patchEmbedding = Register("patch_embed", new PatchEmbedding(size.EmbedDim, random));
        _stages = Register("layers", new ModuleList<SwinStage>(Enumerable.Range(0, PerStage.Count).Select(i => new SwinStage(options, i, random))));
        for (int i = options.LazyPrediction ? 1 : 0; i < PerStage.Count; i++)
            _norms[i] = Register($"norm{i}", new LayerNorm(size.Channels(i)));
        InitialiseLinears(this, random);
    }

    /// <summary>The part that does not depend on the sentence: patch embedding and the blocks of the first stage.</summary>
    public FeatureMap Prefix(Tensor picture)
    {
        int height = (picture.Shape[2] + PatchEmbedding.Patch - 1) / PatchEmbedding.Patch;
        int width = (picture.Shape[3] + PatchEmbedding.Patch - 1) / PatchEmbedding.Patch;
        return new FeatureMap(_stages[0].Blocks(_patchEmbedding.Forward(picture), height, width), height, width);
    }

    /// <summary>The maps for the decoder, stage 1 first; with <c>--lazy_pred</c> the first is missing.</summary>
    /// <param name="prefix">The result of <see cref="Prefix"/>.</param>
    /// <param name="language">Words [B, L, language channels].</param>
    /// <param name="mask">1 for words, 0 for padding: [B, L].</param>
    public FeatureMap?[] Forward(FeatureMap prefix, Tensor language, Tensor mask)
    {
        FeatureMap?[] maps = new FeatureMap?[PerStage.Count];
        (Tensor x, int height, int width) = (prefix.Tokens, prefix.Height, prefix.Width);
        for (int i = 0; i < PerStage.Count; i++)
        {
            if (i > 0) x = _stages[i].Blocks(x, height, width);
            (Tensor emitted, Tensor? next) = _stages[i].Fuse(x, height, width, language, mask);
            if (_norms[i] is { } norm) maps[i] = new FeatureMap(norm.Forward(emitted), height, width);
            if (next is null) break;
            (x, height, width) = (next, (height + 1) / 2, (width + 1) / 2);
        }
        return maps;
    }

    /// <inheritdoc/>
    protected override void Release(DType products)
    {
        // The first stage's map is the finest that the decoder gets: its errors are the largest part of a mask's.
        _stages[0].KeepForInferenceOnly();
        base.Release(products);
    }

    private static void InitialiseLinears(Module module, RandomSource random)
    {
        // The published code initialises every nn.Linear of the backbone after building it, the gates' zeros included
        // (with both layers at zero a gate would never receive a gradient); 1x1 convolutions keep PyTorch's default.
        if (module is Linear { Weight.Rank: 2 } linear)
        {
            Init.TruncatedNormal(linear.Weight, 0.02f, random);
            if (linear.Bias is not null) Init.Constant(linear.Bias, 0);
        }
        foreach ((_, Module child) in module.Children) InitialiseLinears(child, random);
    }
}
