using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>Pixel-word attention module (LAVT, sec. 3.2): projected tokens times language features, projected again.</summary>
public sealed class Pwam : Module
{
    private readonly double _dropout;
    private readonly Linear _visual;
    private readonly ILanguageFusion _fusion;
    private readonly Linear _project;

    /// <summary>A module for maps of <paramref name="channels"/> channels.</summary>
    /// <param name="channels">Channels of a token.</param>
    /// <param name="languageChannels">Channels of a word.</param>
    /// <param name="heads">Attention heads.</param>
    /// <param name="fuse">Attention, or the mean of the words.</param>
    /// <param name="norm">The norm inside the attention.</param>
    /// <param name="dropout">Dropout rate behind both projections.</param>
    /// <param name="random">Source of the initial values.</param>
    public Pwam(int channels, int languageChannels, int heads, FuseKind fuse, AttentionNorm norm, double dropout, RandomSource random)
    {
        _dropout = dropout;
        _visual = Register("vis_project.0", new Linear(channels, channels, random, kernelAxes: 1));
        _fusion = fuse == FuseKind.Simple
            ? Register("image_lang_att", new SentenceProjection(channels, languageChannels, random))
            : Register("image_lang_att", new PixelWordAttention(channels, languageChannels, heads, norm, random));
        _project = Register("project_mm.0", new Linear(channels, channels, random, kernelAxes: 1));
    }

    /// <summary>Fused features [B, N, C] of tokens [B, N, C], words [B, L, language channels] and their mask [B, L].</summary>
    public Tensor Forward(Tensor x, Tensor language, Tensor mask)
    {
        using MemoryScope scope = MemoryScope.Begin();
        double dropout = Training ? _dropout : 0;
        Tensor visual = Ops.Dropout(_visual.Forward(x, Activation.Gelu), dropout);
        Tensor fused = Ops.Multiply(visual, _fusion.Forward(x, language, mask));
        return scope.Return(Ops.Dropout(_project.Forward(fused, Activation.Gelu), dropout));
    }
}
