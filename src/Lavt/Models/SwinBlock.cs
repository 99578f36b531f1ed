using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>
/// A Swin transformer block (Liu et al., 2021, eq. 3): attention within (shifted) windows and a two-layer perceptron, each
/// behind a layer norm and with a residual connection.
/// </summary>
public sealed class SwinBlock : Module
{
    private readonly int _window;
    private readonly int _shift;
    private readonly double _dropPath;
    private readonly LayerNorm _norm1;
    private readonly WindowAttentionLayer _attention;
    private readonly LayerNorm _norm2;
    private readonly Linear _fc1;
    private readonly Linear _fc2;

    /// <summary>A block.</summary>
    /// <param name="channels">Channels of a token.</param>
    /// <param name="heads">Attention heads.</param>
    /// <param name="window">Rows and columns of a window.</param>
    /// <param name="shift">How far the windows are shifted.</param>
    /// <param name="dropPath">Probability with which a sample skips a branch in training.</param>
    /// <param name="random">Source of the initial values.</param>
    public SwinBlock(int channels, int heads, int window, int shift, double dropPath, RandomSource random)
    {
        _window = window;
        _shift = shift;
        _dropPath = dropPath;
        _norm1 = Register("norm1", new LayerNorm(channels));
        _attention = Register("attn", new WindowAttentionLayer(channels, heads, window, random));
        _norm2 = Register("norm2", new LayerNorm(channels));
        _fc1 = Register("mlp.fc1", new Linear(channels, 4 * channels, random));
        _fc2 = Register("mlp.fc2", new Linear(4 * channels, channels, random));
    }

    /// <summary>Tokens [B, H·W, C] to the same.</summary>
    public Tensor Forward(Tensor x, int height, int width)
    {
        using MemoryScope scope = MemoryScope.Begin();
        double dropPath = Training ? _dropPath : 0;
        Tensor attended = _attention.Attend(_norm1.Forward(x), height, width, _window, _shift);
        if (dropPath == 0)
        {
            x = _attention.Project(attended, residual: x);
            return scope.Return(_fc2.Forward(_fc1.Forward(_norm2.Forward(x), Activation.Gelu), residual: x));
        }
        x = Ops.Add(x, Ops.DropPath(_attention.Project(attended), dropPath));
        Tensor hidden = _fc2.Forward(_fc1.Forward(_norm2.Forward(x), Activation.Gelu));
        return scope.Return(Ops.Add(x, Ops.DropPath(hidden, dropPath)));
    }
}
