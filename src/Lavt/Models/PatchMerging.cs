using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>Halves the frames of a map: four neighbours become one token of twice the channels.</summary>
public sealed class PatchMerging : Module
{
    private readonly Linear _reduction;
    private readonly LayerNorm _norm;

    /// <summary>From <paramref name="channels"/> to twice as many channels.</summary>
    public PatchMerging(int channels, RandomSource random)
    {
        _reduction = Register("reduction", new Linear(4 * channels, 2 * channels, random, bias: false));
        _norm = Register("norm", new LayerNorm(4 * channels));
    }

    /// <summary>The extents of the halved map of a clip.</summary>
    public static Volume Halved(Volume map) => map with { Height = (map.Height + 1) / 2, Width = (map.Width + 1) / 2 };

    /// <summary>Tokens of frames, [B, H·W, C] each, to [B, ⌈H/2⌉·⌈W/2⌉, 2C].</summary>
    public Tensor Forward(Tensor x, int height, int width)
    {
        using MemoryScope scope = MemoryScope.Begin();
        return scope.Return(_reduction.Forward(_norm.Forward(Ops.MergeNeighbours(x, height, width), Between)));
    }
}
