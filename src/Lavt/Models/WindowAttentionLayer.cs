using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>The attention of a Swin block: projection to queries, keys and values, attention within windows, projection back.</summary>
public sealed class WindowAttentionLayer : Module
{
    private readonly Volume _window;
    private readonly Tensor _biasTable;
    private readonly Linear _qkv;
    private readonly Linear _projection;

    /// <summary>A layer.</summary>
    /// <param name="channels">Channels of a token.</param>
    /// <param name="heads">Attention heads.</param>
    /// <param name="window">Extents of a window.</param>
    /// <param name="relativePositions"><see cref="Ops.RelativePositions"/> of the window; all blocks share it.</param>
    /// <param name="random">Source of the initial values.</param>
    public WindowAttentionLayer(int channels, int heads, Volume window, Tensor relativePositions, RandomSource random)
    {
        _window = window;
        int rows = (2 * window.Frames - 1) * (2 * window.Height - 1) * (2 * window.Width - 1);
        _biasTable = AddParameter("relative_position_bias_table", [rows, heads]);
        Init.TruncatedNormal(_biasTable, 0.02f, random);
        AddBuffer("relative_position_index", relativePositions);
        _qkv = Register("qkv", new Linear(channels, 3 * channels, random));
        _projection = Register("proj", new Linear(channels, channels, random));
    }

    /// <summary>Tokens [B, T·H·W, C] to attended tokens of the same shape, before the last projection.</summary>
    /// <param name="x">The tokens; for inference on a GPU also in BF16 or F16.</param>
    /// <param name="map">Extents of the map.</param>
    /// <param name="window">Extents of the windows, at most those of the layer.</param>
    /// <param name="shift">How far the windows are shifted.</param>
    public Tensor Attend(Tensor x, Volume map, Volume window, Volume shift)
    {
        Tensor qkv = _qkv.Forward(x, result: Ops.TakesRoundedHeads(x.Shape[-1] / _biasTable.Shape[1]) ? Between : DType.F32);
        return Ops.WindowAttention(qkv, _qkv.Bias!, _biasTable, map, window, shift, _window, Products);
    }

    /// <summary>The last projection, with the residual connection if one is given.</summary>
    public Tensor Project(Tensor attended, Tensor? residual = null) => _projection.Forward(attended, residual: residual);
}
