using Lavt.Autograd;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>A 1x1 convolution followed by the norm that <c>--att_norm_layer_type</c> names; entries 0 and 1 of PyTorch's container.</summary>
public sealed class AttentionNormLayer : Module
{
    private readonly AttentionNorm _kind;
    private readonly Linear _convolution;
    private readonly BatchNorm? _batchNorm;
    private readonly LayerNorm? _layerNorm;

    /// <summary>A layer of <paramref name="channels"/> channels.</summary>
    public AttentionNormLayer(int channels, AttentionNorm kind, RandomSource random)
    {
        _kind = kind;
        _convolution = Register("0", new Linear(channels, channels, random, kernelAxes: 1));
        if (kind == AttentionNorm.Batch) _batchNorm = Register("1", new BatchNorm(channels));
        if (kind == AttentionNorm.Layer) _layerNorm = Register("1", new LayerNorm(channels));
    }

    /// <summary>[B, N, C] to the same.</summary>
    public Tensor Forward(Tensor x)
    {
        Tensor y = _convolution.Forward(x);
        return _kind switch
        {
            AttentionNorm.Instance => Ops.InstanceNorm(y),
            AttentionNorm.Batch => _batchNorm!.Forward(y),
            AttentionNorm.Layer => _layerNorm!.Forward(y),
            _ => y,
        };
    }
}
