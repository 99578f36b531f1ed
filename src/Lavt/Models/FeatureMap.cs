using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>A map of features over the frames of a clip, channels last; a picture is a clip of one frame.</summary>
/// <param name="Tokens">[B, T·H·W, C].</param>
/// <param name="Volume">Frames, rows and columns of a clip's map.</param>
public readonly record struct FeatureMap(Tensor Tokens, Volume Volume)
{
    /// <summary>The same numbers with a batch of frames: [B·T, H, W, C].</summary>
    public Tensor AsFrames() => Ops.Reshape(Tokens, [Tokens.Shape[0] * Volume.Frames, Volume.Height, Volume.Width, Tokens.Shape[2]]);

    /// <summary>The same numbers as clips: [B, T, H, W, C].</summary>
    public Tensor AsClips() => Ops.Reshape(Tokens, [Tokens.Shape[0], Volume.Frames, Volume.Height, Volume.Width, Tokens.Shape[2]]);
}
