using Lavt.Autograd;
using Lavt.Nn;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>Cuts a picture into patches of 4x4 pixels and projects each to a token.</summary>
public sealed class PatchEmbedding : Module
{
    /// <summary>Rows and columns of a patch, in pixels.</summary>
    public const int Patch = 4;

    private readonly PatchProjection _projection;
    private readonly LayerNorm _norm;

    /// <summary>An embedding of RGB pictures into <paramref name="channels"/> channels.</summary>
    public PatchEmbedding(int channels, RandomSource random)
    {
        _projection = Register("proj", new PatchProjection(channels, random));
        _norm = Register("norm", new LayerNorm(channels));
    }

    /// <summary>Pictures [B, 3, H, W] to tokens [B, ⌈H/4⌉·⌈W/4⌉, C].</summary>
    public Tensor Forward(Tensor picture) => _norm.Forward(_projection.Forward(Ops.Patches(picture, Patch)));

    /// <summary>A 4x4 convolution of stride 4 on patches that are already gathered.</summary>
    private sealed class PatchProjection : Module
    {
        private readonly Tensor _weight;
        private readonly Tensor _bias;

        public PatchProjection(int channels, RandomSource random)
        {
            _weight = AddParameter("weight", [channels, 3, Patch, Patch]);
            _bias = AddParameter("bias", [channels]);
            Init.LinearDefault(_weight, _bias, random);
        }

        public Tensor Forward(Tensor patches) => Ops.Linear(patches, _weight, _bias);
    }
}
