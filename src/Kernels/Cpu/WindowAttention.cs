namespace Lavt.Kernels.Cpu;

/// <summary>
/// Multi-head self-attention inside shifted windows with a relative position bias: Liu et al. 2021, "Swin Transformer:
/// Hierarchical Vision Transformer using Shifted Windows", equation 4 and section 3.2.
/// </summary>
/// <remarks>
/// <para>
/// The map [height, width] is padded with zeros at the right and at the bottom to whole windows, rolled by −shift along
/// both axes and cut into windows; within a window softmax(q·kᵀ / √headDim + bias + mask) · v, where the mask is −100
/// between tokens that only the roll has made neighbours; then everything is undone. Here all of it happens in the
/// addressing: q, k and v are read and the result is written in picture order, and no padded, rolled or windowed tensor
/// and no probabilities exist.
/// </para>
/// <para>
/// Padding tokens take part as keys and values. As zeros that went through the qkv projection they equal its bias.
/// </para>
/// <para>The results do not depend on the number of workers.</para>
/// </remarks>
public static unsafe class WindowAttention
{
    /// <summary>Computes the attention of every token, float32.</summary>
    /// <param name="qkv">[batch, height · width, 3 · heads · headDim]: q of all heads, then k, then v.</param>
    /// <param name="qkvBias">[3 · heads · headDim], the q, k and v of padding tokens; null: zeros.</param>
    /// <param name="biasTable">[(2 · window − 1)², heads], row (dy + window − 1) · (2 · window − 1) + dx + window − 1 for query − key = (dy, dx).</param>
    /// <param name="output">[batch, height · width, heads · headDim], overwritten.</param>
    /// <param name="batch">The number of pictures.</param>
    /// <param name="height">Rows of tokens.</param>
    /// <param name="width">Columns of tokens.</param>
    /// <param name="heads">The number of heads.</param>
    /// <param name="headDim">The number of channels of a head.</param>
    /// <param name="window">The side of a window in tokens; it may be larger than the map.</param>
    /// <param name="shift">How far the windows are moved, 0 … window − 1.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is not positive (batch: negative), or shift is outside the window.</exception>
    public static void Forward(
        float* qkv, float* qkvBias, float* biasTable, float* output,
        int batch, int height, int width, int heads, int headDim, int window, int shift)
    {
        Check(batch, height, width, heads, headDim, window, shift);
        if (batch == 0) return;
        using WindowAttentionGrid grid = WindowAttentionGrid.Plane(height, width, window, shift);
        WindowAttentionInput input = new(qkv, qkvBias, grid, height * width, heads, headDim);
        switch (CpuInfo.VectorBits)
        {
            case 512:
                Forward<F512>(input, biasTable, output, batch);
                break;
            case 256:
                Forward<F256>(input, biasTable, output, batch);
                break;
            default:
                Forward<F128>(input, biasTable, output, batch);
                break;
        }
    }

    /// <summary>Computes the gradients of <see cref="Forward"/>, float32; nothing of the forward pass is needed but its input.</summary>
    /// <param name="qkv">As given to <see cref="Forward"/>.</param>
    /// <param name="qkvBias">As given to <see cref="Forward"/>.</param>
    /// <param name="biasTable">As given to <see cref="Forward"/>.</param>
    /// <param name="dOutput">[batch, height · width, heads · headDim], the gradient with respect to the output.</param>
    /// <param name="dQkv">[batch, height · width, 3 · heads · headDim], overwritten.</param>
    /// <param name="dQkvBias">[3 · heads · headDim]; what padding tokens' k and v receive is added. Null: not wanted.</param>
    /// <param name="dBiasTable">[(2 · window − 1)², heads]; the gradient is added.</param>
    /// <param name="batch">As given to <see cref="Forward"/>, like all that follow.</param>
    /// <param name="height">Rows of tokens.</param>
    /// <param name="width">Columns of tokens.</param>
    /// <param name="heads">The number of heads.</param>
    /// <param name="headDim">The number of channels of a head.</param>
    /// <param name="window">The side of a window in tokens.</param>
    /// <param name="shift">How far the windows are moved.</param>
    /// <remarks>Tokens of the picture receive nothing in <paramref name="dQkvBias"/>: that is the projection's own backward pass.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">A size is not positive (batch: negative), or shift is outside the window.</exception>
    public static void Backward(
        float* qkv, float* qkvBias, float* biasTable, float* dOutput, float* dQkv, float* dQkvBias, float* dBiasTable,
        int batch, int height, int width, int heads, int headDim, int window, int shift)
    {
        Check(batch, height, width, heads, headDim, window, shift);
        if (batch == 0) return;
        using WindowAttentionGrid grid = WindowAttentionGrid.Plane(height, width, window, shift);
        WindowAttentionInput input = new(qkv, qkvBias, grid, height * width, heads, headDim);
        switch (CpuInfo.VectorBits)
        {
            case 512:
                Backward<F512>(input, biasTable, dOutput, dQkv, dQkvBias, dBiasTable, batch);
                break;
            case 256:
                Backward<F256>(input, biasTable, dOutput, dQkv, dQkvBias, dBiasTable, batch);
                break;
            default:
                Backward<F128>(input, biasTable, dOutput, dQkv, dQkvBias, dBiasTable, batch);
                break;
        }
    }

    private static void Forward<V>(WindowAttentionInput input, float* biasTable, float* output, int batch)
        where V : struct, ISimd<V>
    {
        using WindowAttentionBias<V> bias = new(input.Grid, biasTable, input.Heads);
        WindowAttentionForward<V> forward = new(input, bias, output, batch);
        Workers.Current.For(forward.Pieces, ref forward);
    }

    private static void Backward<V>(
        WindowAttentionInput input, float* biasTable, float* dOutput, float* dQkv, float* dQkvBias, float* dBiasTable, int batch)
        where V : struct, ISimd<V>
    {
        using WindowAttentionBias<V> bias = new(input.Grid, biasTable, input.Heads);
        WindowAttentionBackward<V> backward = new(input, bias, dOutput, dQkv, batch);
        try
        {
            Workers.Current.For(backward.Pieces, ref backward);
            backward.Reduce(dQkvBias, dBiasTable);
        }
        finally
        {
            backward.Dispose();
        }
    }

    private static void Check(int batch, int height, int width, int heads, int headDim, int window, int shift)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(batch);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(height);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(width);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(heads);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(headDim);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(window);
        ArgumentOutOfRangeException.ThrowIfNegative(shift);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(shift, window);
    }
}
