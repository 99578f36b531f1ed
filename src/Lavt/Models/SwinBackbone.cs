using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>
/// The language-aware Swin transformer, for pictures or clips: four stages, each fusing the sentence into its map.
/// </summary>
public sealed class SwinBackbone : Module
{
    private readonly PatchEmbedding _patchEmbedding;
    private readonly ModuleList<SwinStage> _stages;
    private readonly LayerNorm?[] _norms = new LayerNorm?[PerStage.Count];

    /// <summary>The backbone that <paramref name="options"/> describe, with the initial values of the published code.</summary>
    public SwinBackbone(ModelOptions options, RandomSource random)
    {
        SwinSize size = options.Backbone;
        Window = size.Window;
        Tensor relativePositions = Ops.RelativePositions(size.Window);
        _patchEmbedding = Register("patch_embed", new PatchEmbedding(size.EmbedDim, options.Model == ModelKind.LavtVideo, random));
        _stages = Register("layers", new ModuleList<SwinStage>(Enumerable.Range(0, PerStage.Count).Select(i => new SwinStage(options, i, relativePositions, random))));
        for (int i = options.LazyPrediction ? 1 : 0; i < PerStage.Count; i++)
            _norms[i] = Register($"norm{i}", new LayerNorm(size.Channels(i)));
        InitialiseLinears(this, random);
    }

    /// <summary>The attention windows.</summary>
    public Volume Window { get; }

    /// <summary>
    /// The part that does not depend on the sentence: patch embedding, the blocks of the first stage, and what its fusion makes
    /// of their result alone.
    /// </summary>
    /// <param name="frames">Pictures [B, 3, H, W] or clips [B, T, 3, H, W].</param>
    public PwamVisuals Prefix(Tensor frames)
    {
        using MemoryScope scope = MemoryScope.Begin();
        PwamVisuals visuals = _stages[0].Visuals(_stages[0].Blocks(_patchEmbedding.Forward(frames)));
        visuals.ForEach(tensor => scope.Return(tensor));
        return visuals;
    }

    /// <summary>The maps for the decoder, stage 1 first; with <c>--lazy_pred</c> the first is missing.</summary>
    /// <param name="prefix">The result of <see cref="Prefix"/>.</param>
    /// <param name="language">Words [B, L, language channels].</param>
    /// <param name="mask">1 for words, 0 for padding: [B, L].</param>
    public FeatureMap?[] Forward(PwamVisuals prefix, Tensor language, Tensor mask)
    {
        FeatureMap?[] maps = new FeatureMap?[PerStage.Count];
        FeatureMap? next = null;
        for (int i = 0; i < PerStage.Count; i++)
        {
            using MemoryScope scope = MemoryScope.Begin();
            PwamVisuals visuals = i == 0 ? prefix : _stages[i].Visuals(_stages[i].Blocks(next!.Value));
            (Tensor emitted, next) = _stages[i].Fuse(visuals, language, mask);
            if (_norms[i] is { } norm) maps[i] = visuals.Map with { Tokens = scope.Return(norm.Forward(emitted)) };
            if (next is { } map) scope.Return(map.Tokens);
        }
        return maps;
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
