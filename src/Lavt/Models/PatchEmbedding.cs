using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>Cuts the frames of clips into patches of 4x4 pixels and projects each to a token.</summary>
public sealed class PatchEmbedding : Module
{
    /// <summary>Rows and columns of a patch, in pixels; it has one frame.</summary>
    public const int Patch = 4;

    private readonly PatchProjection _projection;
    private readonly LayerNorm _norm;

    /// <summary>An embedding of RGB frames into <paramref name="channels"/> channels.</summary>
    /// <param name="channels">Channels of a token.</param>
    /// <param name="ofClips">Whether the weight has a time axis in the state dict, of extent 1.</param>
    /// <param name="random">Source of the initial values.</param>
    public PatchEmbedding(int channels, bool ofClips, RandomSource random)
    {
        _projection = Register("proj", new PatchProjection(channels, ofClips, random));
        _norm = Register("norm", new LayerNorm(channels));
    }

    /// <summary>The tokens of pictures [B, 3, H, W] or clips [B, T, 3, H, W].</summary>
    public FeatureMap Forward(Tensor frames)
    {
        ArgumentNullException.ThrowIfNull(frames);
        if (frames.Rank is not (4 or 5) || frames.Shape[-3] != 3)
            throw new ArgumentException($"the model takes pictures [B, 3, H, W] or clips [B, T, 3, H, W], got {frames.Shape}");
        int clips = frames.Shape[0], length = frames.Rank == 5 ? frames.Shape[1] : 1, height = frames.Shape[-2], width = frames.Shape[-1];
        Volume volume = new(length, (height + Patch - 1) / Patch, (width + Patch - 1) / Patch);
        Tensor pictures = Ops.Reshape(frames, [clips * length, 3, height, width]);
        Tensor tokens = FramePieces.Concat(clips * length, (start, count) =>
        {
            Tensor part = count == clips * length ? pictures : pictures.ViewSlice(0, start, count);
            return _norm.Forward(_projection.Forward(Ops.Patches(part, Patch)));
        });
        return new FeatureMap(Ops.Reshape(tokens, [clips, volume.Count, tokens.Shape[2]]), volume);
    }

    /// <summary>A 4x4 convolution of stride 4 on patches that are already gathered.</summary>
    private sealed class PatchProjection : Module
    {
        private readonly Tensor _weight;
        private readonly Tensor _bias;

        public PatchProjection(int channels, bool ofClips, RandomSource random)
        {
            _weight = AddParameter("weight", ofClips ? [channels, 3, 1, Patch, Patch] : [channels, 3, Patch, Patch]);
            _bias = AddParameter("bias", [channels]);
            Init.LinearDefault(_weight, _bias, random);
        }

        public Tensor Forward(Tensor patches) => Ops.Linear(patches, _weight, _bias);
    }
}
