using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary><c>--fuse simple</c>: the mean of the words through two linear layers, the same for every token.</summary>
public sealed class SentenceProjection : Module
{
    private readonly Linear _first;
    private readonly Linear _second;

    /// <summary>From <paramref name="languageChannels"/> to <paramref name="channels"/> channels.</summary>
    public SentenceProjection(int channels, int languageChannels, RandomSource random)
    {
        _first = Register("project.0", new Linear(languageChannels, channels, random));
        _second = Register("project.2", new Linear(channels, channels, random));
    }

    /// <summary>[B, 1, C] of words [B, L, language channels] and their mask [B, L].</summary>
    public Tensor Forward(Tensor language, Tensor mask)
    {
        Tensor words = Ops.Reshape(mask, [mask.Shape[0], mask.Shape[1], 1]);
        Tensor mean = Ops.Divide(Ops.Sum(Ops.Multiply(language, words), 1), Ops.Sum(words, 1));
        return _second.Forward(_first.Forward(mean, Activation.Relu));
    }
}
