namespace Lavt.Kernels.Cpu;

/// <summary>
/// Multi-head self-attention inside shifted windows with a relative position bias: Liu et al. 2021, "Swin Transformer:
/// Hierarchical Vision Transformer using Shifted Windows", equation 4 and section 3.2; over several frames: Liu et al. 2022,
/// "Video Swin Transformer". A picture is a map of one frame.
/// </summary>
/// <remarks>
/// <para>
/// The map [frames, height, width] is padded with zeros behind to whole windows, rolled by −shift along each axis and cut
/// into windows; within a window softmax(q·kᵀ / √headDim + bias + mask) · v, where the mask is −100
/// between tokens that only the roll has made neighbours; then everything is undone. Here all of it happens in the
/// addressing: q, k and v are read and the result is written in the order of the map, and no padded, rolled or windowed tensor
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
    /// <param name="qkv">[batch, tokens of the map, 3 · heads · headDim]: q of all heads, then k, then v.</param>
    /// <param name="qkvBias">[3 · heads · headDim], the q, k and v of padding tokens; null: zeros.</param>
    /// <param name="biasTable">
    /// [(2t − 1) · (2h − 1) · (2w − 1), heads] for a <paramref name="tableWindow"/> of t x h x w; the row for query − key =
    /// (dt, dy, dx) is ((dt + t − 1) · (2h − 1) + dy + h − 1) · (2w − 1) + dx + w − 1.
    /// </param>
    /// <param name="output">[batch, tokens of the map, heads · headDim], overwritten.</param>
    /// <param name="batch">The number of maps.</param>
    /// <param name="heads">The number of heads.</param>
    /// <param name="headDim">The number of channels of a head.</param>
    /// <param name="map">The extents of a map in tokens.</param>
    /// <param name="window">The extents of a window in tokens; it may be larger than the map.</param>
    /// <param name="shift">How far the windows are moved along each axis, 0 … window − 1.</param>
    /// <param name="tableWindow">
    /// The window that the table is for. If it is not <paramref name="window"/>, token i of the window has the biases of token i
    /// of this one, both counted in rows, as in Video Swin.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">
    /// A size is not positive (batch: negative), shift is outside the window, or the window has more tokens than the table's.
    /// </exception>
    public static void Forward(
        float* qkv, float* qkvBias, float* biasTable, float* output,
        int batch, int heads, int headDim, Volume map, Volume window, Volume shift, Volume tableWindow)
    {
        Check(batch, heads, headDim, map, window, shift, tableWindow);
        if (batch == 0) return;
        using WindowAttentionGrid grid = new(map, window, shift);
        WindowAttentionInput input = new(qkv, qkvBias, grid, map.Count, heads, headDim);
        switch (CpuInfo.VectorBits)
        {
            case 512:
                Forward<F512>(input, tableWindow, biasTable, output, batch);
                break;
            case 256:
                Forward<F256>(input, tableWindow, biasTable, output, batch);
                break;
            default:
                Forward<F128>(input, tableWindow, biasTable, output, batch);
                break;
        }
    }

    /// <summary>Computes the gradients of <see cref="Forward"/>, float32; nothing of the forward pass is needed but its input.</summary>
    /// <param name="qkv">As given to <see cref="Forward"/>.</param>
    /// <param name="qkvBias">As given to <see cref="Forward"/>.</param>
    /// <param name="biasTable">As given to <see cref="Forward"/>.</param>
    /// <param name="dOutput">[batch, tokens of the map, heads · headDim], the gradient with respect to the output.</param>
    /// <param name="dQkv">[batch, tokens of the map, 3 · heads · headDim], overwritten.</param>
    /// <param name="dQkvBias">[3 · heads · headDim]; what padding tokens' k and v receive is added. Null: not wanted.</param>
    /// <param name="dBiasTable">Of <paramref name="biasTable"/>'s size; the gradient is added.</param>
    /// <param name="batch">As given to <see cref="Forward"/>, like all that follow.</param>
    /// <param name="heads">The number of heads.</param>
    /// <param name="headDim">The number of channels of a head.</param>
    /// <param name="map">The extents of a map in tokens.</param>
    /// <param name="window">The extents of a window in tokens.</param>
    /// <param name="shift">How far the windows are moved along each axis.</param>
    /// <param name="tableWindow">The window that the table is for.</param>
    /// <remarks>Tokens of the map receive nothing in <paramref name="dQkvBias"/>: that is the projection's own backward pass.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">As for <see cref="Forward"/>.</exception>
    public static void Backward(
        float* qkv, float* qkvBias, float* biasTable, float* dOutput, float* dQkv, float* dQkvBias, float* dBiasTable,
        int batch, int heads, int headDim, Volume map, Volume window, Volume shift, Volume tableWindow)
    {
        Check(batch, heads, headDim, map, window, shift, tableWindow);
        if (batch == 0) return;
        using WindowAttentionGrid grid = new(map, window, shift);
        WindowAttentionInput input = new(qkv, qkvBias, grid, map.Count, heads, headDim);
        switch (CpuInfo.VectorBits)
        {
            case 512:
                Backward<F512>(input, tableWindow, biasTable, dOutput, dQkv, dQkvBias, dBiasTable, batch);
                break;
            case 256:
                Backward<F256>(input, tableWindow, biasTable, dOutput, dQkv, dQkvBias, dBiasTable, batch);
                break;
            default:
                Backward<F128>(input, tableWindow, biasTable, dOutput, dQkv, dQkvBias, dBiasTable, batch);
                break;
        }
    }

    private static void Forward<V>(WindowAttentionInput input, Volume tableWindow, float* biasTable, float* output, int batch)
        where V : struct, ISimd<V>
    {
        using WindowAttentionBias<V> bias = new(tableWindow, input.Grid.Size, biasTable, input.Heads);
        WindowAttentionForward<V> forward = new(input, bias, output, batch);
        Workers.Current.For(forward.Pieces, ref forward);
    }

    private static void Backward<V>(
        WindowAttentionInput input, Volume tableWindow, float* biasTable, float* dOutput, float* dQkv, float* dQkvBias, float* dBiasTable, int batch)
        where V : struct, ISimd<V>
    {
        using WindowAttentionBias<V> bias = new(tableWindow, input.Grid.Size, biasTable, input.Heads);
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

    private static void Check(int batch, int heads, int headDim, Volume map, Volume window, Volume shift, Volume tableWindow)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(batch);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(heads);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(headDim);
        CheckAxis(map.Frames, window.Frames, shift.Frames, tableWindow.Frames);
        CheckAxis(map.Height, window.Height, shift.Height, tableWindow.Height);
        CheckAxis(map.Width, window.Width, shift.Width, tableWindow.Width);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(window.Count, tableWindow.Count, nameof(window));
    }

    private static void CheckAxis(int map, int window, int shift, int tableWindow)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(map);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(window);
        ArgumentOutOfRangeException.ThrowIfNegative(shift);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(shift, window);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(tableWindow);
    }
}
