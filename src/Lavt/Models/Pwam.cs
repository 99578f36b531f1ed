using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>
/// Pixel-word attention module (LAVT, sec. 3.2): each token's mixture of the words, times the projected token, projected
/// again. The layers are those of a <see cref="FusionPlan"/>.
/// </summary>
public sealed class Pwam : Module
{
    private readonly Stream[] _streams;
    private readonly Module? _reduction;
    private readonly HashSet<Module> _sensitive = [];
    private readonly int _heads;
    private readonly double _scale;
    private readonly double _dropout;

    /// <summary>The module of a stage.</summary>
    /// <param name="options">The model.</param>
    /// <param name="channels">Channels of a token.</param>
    /// <param name="languageChannels">Channels of a word.</param>
    /// <param name="heads">Attention heads.</param>
    /// <param name="random">Source of the initial values.</param>
    public Pwam(ModelOptions options, int channels, int languageChannels, int heads, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(options);
        _heads = heads;
        // The published code divides by the root of all channels, also with several heads.
        _scale = 1 / Math.Sqrt(channels);
        _dropout = options.FusionDropout;
        FusionEnd gelu = new(false, default, options.FusionDropout), norm = new(true, options.AttentionNorm, 0);
        FusionPlan plan = options.FusesClips ? FusionPlan.Of(options.Video) : FusionPlan.Plain;
        _streams = [.. plan.Streams.Select(_ => new Stream())];
        // The published code makes each kind of layer for all attentions before the next kind.
        Each((stream, from) => stream.Visual = Add("", new FusionLayers(from.Visual, channels, gelu, random)));
        Each((stream, from) =>
        {
            if (options.Fuse == FuseKind.Simple && from.MayBeSimple)
                stream.Sentence = Sensitive(Register(from.Attention.TrimEnd('.'), new SentenceProjection(channels, languageChannels, random)));
            else
                AddAttention(stream, from, channels, languageChannels, norm, random);
        });
        Each((stream, from) => stream.Projection = Add("", new FusionLayers(from.Projection, channels, gelu, random)));
        if (plan.Reduction is { } reduction)
            _reduction = Register($"{reduction.Name}.0", FusionLayers.Layer(reduction, _streams.Length * channels, channels, random));

        void Each(Action<Stream, FusionStream> make)
        {
            for (int i = 0; i < _streams.Length; i++) make(_streams[i], plan.Streams[i]);
        }
    }

    /// <summary>The part that does not depend on the sentence.</summary>
    public PwamVisuals Visuals(FeatureMap map) =>
        new(map, [.. _streams.Select(stream => (stream.Visual.Forward(map), stream.Query?.Forward(map)))]);

    /// <summary>Fused features [B, T·H·W, C] of <see cref="Visuals"/>, words [B, L, language channels] and their mask [B, L].</summary>
    public Tensor Forward(PwamVisuals visuals, Tensor language, Tensor mask)
    {
        ArgumentNullException.ThrowIfNull(visuals);
        using MemoryScope scope = MemoryScope.Begin();
        Tensor[] fused = new Tensor[_streams.Length];
        for (int i = 0; i < fused.Length; i++) fused[i] = Forward(_streams[i], visuals.Map, visuals.Streams[i].Visual, visuals.Streams[i].Query, language, mask);
        if (_reduction is null) return scope.Return(fused.Aggregate(Ops.Add));
        Tensor reduced = FusionLayers.Run(_reduction, visuals.Map with { Tokens = Ops.Concat(2, fused) }, Activation.Gelu);
        return scope.Return(Ops.Dropout(reduced, Training ? _dropout : 0));
    }

    /// <summary>
    /// What the words add varies little over the map, and the norm behind the last layer blows up what varies: also the errors
    /// of the words' keys and values and of that layer.
    /// </summary>
    protected override DType ProductsOf(Module child, DType products) => _sensitive.Contains(child) ? DType.F32 : products;

    private Tensor Forward(Stream stream, FeatureMap map, Tensor visual, Tensor? query, Tensor language, Tensor mask)
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor words = stream.Sentence?.Forward(language, mask) ?? Attend(stream, map, query!, language, mask);
        return scope.Return(stream.Projection.Forward(map with { Tokens = Ops.Multiply(visual, words) }));
    }

    /// <summary>For each token the words that matter to it (LAVT, eq. 1–4).</summary>
    private Tensor Attend(Stream stream, FeatureMap map, Tensor query, Tensor language, Tensor mask)
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor words = Ops.Reshape(mask, [mask.Shape[0], mask.Shape[1], 1]);
        Tensor key = Ops.Multiply(stream.Key!.Forward(language), words);
        Tensor value = Ops.Multiply(stream.Value!.Forward(language), words);
        // A product with a mixture of words is the same mixture of their products, for its weights sum to 1: that spares a
        // product per token.
        if (_heads == 1 && stream.Output!.OnlyProduct is { } product)
            return scope.Return(stream.Output.NormaliseProduct(Ops.WordAttention(query, key, product.Forward(value), mask, _heads, _scale)));
        return scope.Return(stream.Output!.Forward(map with { Tokens = Ops.WordAttention(query, key, value, mask, _heads, _scale) }));
    }

    private void AddAttention(Stream stream, FusionStream from, int channels, int languageChannels, FusionEnd norm, RandomSource random)
    {
        bool isNested = from.Attention.Length > 0;
        if (isNested) stream.Key = AddWords("f_key");
        stream.Query = Add(from.Attention, new FusionLayers(from.Query, channels, norm, random));
        if (!isNested) stream.Key = AddWords("f_key");
        stream.Value = AddWords("f_value");
        stream.Output = Add(from.Attention, new FusionLayers(from.Output, channels, norm, random));
        foreach ((_, Module layer) in stream.Output.Layers) Sensitive(layer);

        Linear AddWords(string name) =>
            Sensitive(Register($"{from.Attention}{name}.0", new Linear(languageChannels, channels, random, kernelAxes: 1)));
    }

    private FusionLayers Add(string prefix, FusionLayers layers)
    {
        foreach ((string name, Module layer) in layers.Layers) Register(prefix + name, layer);
        return layers;
    }

    private T Sensitive<T>(T layer)
        where T : Module
    {
        _sensitive.Add(layer);
        return layer;
    }

    private sealed class Stream
    {
        public FusionLayers Visual { get; set; } = null!;

        public FusionLayers? Query { get; set; }

        public Linear? Key { get; set; }

        public Linear? Value { get; set; }

        public FusionLayers? Output { get; set; }

        public SentenceProjection? Sentence { get; set; }

        public FusionLayers Projection { get; set; } = null!;
    }
}
