using Lavt.Kernels;

namespace Lavt.Options;

/// <summary>The dimensions of a Swin backbone.</summary>
/// <param name="EmbedDim">Channels of the first stage; each further stage has twice as many.</param>
/// <param name="Depths">Blocks per stage.</param>
/// <param name="Heads">Attention heads per stage.</param>
/// <param name="Window">An attention window: one frame of a picture model, 8 of a video model.</param>
/// <param name="DropPath">Drop-path rate of the last block; it grows linearly from 0 over all blocks.</param>
public readonly record struct SwinSize(int EmbedDim, PerStage Depths, PerStage Heads, Volume Window, double DropPath)
{
    /// <summary>Channels of one stage, counted from 0.</summary>
    public int Channels(int stage) => EmbedDim << stage;
}
