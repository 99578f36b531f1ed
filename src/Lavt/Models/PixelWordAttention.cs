using Lavt.Autograd;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>For each token the words that matter to it (LAVT, eq. 1–4): attention with the map as queries and the words as keys and values.</summary>
public sealed class PixelWordAttention : Module, ILanguageFusion
{
    private readonly int _heads;
    private readonly double _scale;
    private readonly Linear _key;
    private readonly AttentionNormLayer _query;
    private readonly Linear _value;
    private readonly AttentionNormLayer _output;

    /// <summary>A layer.</summary>
    /// <param name="channels">Channels of a token.</param>
    /// <param name="languageChannels">Channels of a word.</param>
    /// <param name="heads">Attention heads.</param>
    /// <param name="norm">The norm of queries and result.</param>
    /// <param name="random">Source of the initial values.</param>
    public PixelWordAttention(int channels, int languageChannels, int heads, AttentionNorm norm, RandomSource random)
    {
        _heads = heads;
        // The published code divides by the root of all channels, also with several heads.
        _scale = 1 / Math.Sqrt(channels);
        _key = Register("f_key.0", new Linear(languageChannels, channels, random, kernelAxes: 1));
        _query = Register("f_query", new AttentionNormLayer(channels, norm, random));
        _value = Register("f_value.0", new Linear(languageChannels, channels, random, kernelAxes: 1));
        _output = Register("W", new AttentionNormLayer(channels, norm, random));
    }

    /// <inheritdoc/>
    public Tensor Forward(Tensor x, Tensor language, Tensor mask)
    {
        Tensor words = Ops.Reshape(mask, [mask.Shape[0], mask.Shape[1], 1]);
        Tensor key = Ops.Multiply(_key.Forward(language), words);
        Tensor value = Ops.Multiply(_value.Forward(language), words);
        return _output.Forward(Ops.WordAttention(_query.Forward(x), key, value, mask, _heads, _scale));
    }

    /// <inheritdoc/>
    protected override void Release(DType products)
    {
        // What the words add varies little over the map, and the norm behind the last layer blows up what varies: also the
        // errors of the words' keys and values and of that layer.
        _key.KeepForInferenceOnly();
        _value.KeepForInferenceOnly();
        _output.KeepForInferenceOnly();
        base.Release(products);
    }
}
