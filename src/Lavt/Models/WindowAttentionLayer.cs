using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>The attention of a Swin block: projection to queries, keys and values, attention within windows, projection back.</summary>
public sealed class WindowAttentionLayer : Module
{
    private readonly Tensor _biasTable;
    private readonly Linear _qkv;
    private readonly Linear _projection;

    /// <summary>A layer for windows of <paramref name="window"/> x <paramref name="window"/> tokens.</summary>
    public WindowAttentionLayer(int channels, int heads, int window, RandomSource random)
    {
        int span = 2 * window - 1;
        _biasTable = AddParameter("relative_position_bias_table", [span * span, heads]);
        Init.TruncatedNormal(_biasTable, 0.02f, random);
        AddBuffer("relative_position_index", Ops.RelativePositions(Volume.Picture(window, window)));
        _qkv = Register("qkv", new Linear(channels, 3 * channels, random));
        _projection = Register("proj", new Linear(channels, channels, random));
    }

    /// <summary>Tokens [B, H·W, C] to attended tokens of the same shape, before the last projection.</summary>
    public Tensor Attend(Tensor x, int height, int width, int window, int shift)
    {
        Volume extents = Volume.Picture(window, window);
        return Ops.WindowAttention(_qkv.Forward(x), _qkv.Bias!, _biasTable, Volume.Picture(height, width), extents, new Volume(0, shift, shift), extents);
    }

    /// <summary>The last projection, with the residual connection if one is given.</summary>
    public Tensor Project(Tensor attended, Tensor? residual = null) => _projection.Forward(attended, residual: residual);
}
