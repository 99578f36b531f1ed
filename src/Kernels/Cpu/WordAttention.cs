namespace Lavt.Kernels.Cpu;

/// <summary>
/// Multi-head attention of many tokens over few words: equations 1 to 4 of Yang et al. 2022, "LAVT: Language-Aware Vision
/// Transformer for Referring Image Segmentation", without their projections and norms. With the words as tokens it is
/// the self-attention of BERT.
/// </summary>
/// <remarks>
/// Channel c belongs to head c / (channels / heads). Scores are scale · q·k + maskPenalty · (mask − 1), and the softmax
/// goes over the words. Long sums are cut into short ones: the instance norm behind PWAM amplifies rounding. The results
/// do not depend on the number of workers.
/// </remarks>
public static unsafe class WordAttention
{
    /// <summary>Computes softmax(scores) · v for every token, float32.</summary>
    /// <param name="q">[batch, tokens, channels].</param>
    /// <param name="k">[batch, words, channels].</param>
    /// <param name="v">[batch, words, channels].</param>
    /// <param name="mask">[batch, words], 1 for a word and 0 for padding.</param>
    /// <param name="output">[batch, tokens, channels], overwritten.</param>
    /// <param name="batch">The number of samples.</param>
    /// <param name="tokens">The number of tokens of a sample.</param>
    /// <param name="words">The number of words of a sample, at least 1.</param>
    /// <param name="channels">The number of channels of all heads.</param>
    /// <param name="heads">The number of heads, a divisor of channels.</param>
    /// <param name="scale">What q·k is multiplied by: channels^−½ in PWAM, (channels / heads)^−½ in BERT.</param>
    /// <param name="maskPenalty">By how much the scores of padding are reduced; 10000 in both.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is not positive (batch, tokens: negative).</exception>
    /// <exception cref="ArgumentException">heads does not divide channels.</exception>
    public static void Forward(
        float* q, float* k, float* v, float* mask, float* output,
        int batch, int tokens, int words, int channels, int heads, float scale, float maskPenalty)
    {
        WordAttentionSizes sizes = Checked(batch, tokens, words, channels, heads, scale, maskPenalty);
        if (batch == 0) return;
        switch (CpuInfo.VectorBits)
        {
            case 512:
                Forward<F512>(sizes, q, k, v, mask, output);
                break;
            case 256:
                Forward<F256>(sizes, q, k, v, mask, output);
                break;
            default:
                Forward<F128>(sizes, q, k, v, mask, output);
                break;
        }
    }

    /// <summary>Computes the gradients of <see cref="Forward"/>, float32; nothing of the forward pass is needed but its input.</summary>
    /// <param name="q">As given to <see cref="Forward"/>.</param>
    /// <param name="k">As given to <see cref="Forward"/>.</param>
    /// <param name="v">As given to <see cref="Forward"/>.</param>
    /// <param name="mask">As given to <see cref="Forward"/>.</param>
    /// <param name="dOutput">[batch, tokens, channels], the gradient with respect to the output.</param>
    /// <param name="dQ">[batch, tokens, channels], overwritten.</param>
    /// <param name="dK">[batch, words, channels], overwritten.</param>
    /// <param name="dV">[batch, words, channels], overwritten.</param>
    /// <param name="batch">The number of samples.</param>
    /// <param name="tokens">The number of tokens of a sample.</param>
    /// <param name="words">The number of words of a sample, at least 1.</param>
    /// <param name="channels">The number of channels of all heads.</param>
    /// <param name="heads">The number of heads, a divisor of channels.</param>
    /// <param name="scale">As given to <see cref="Forward"/>.</param>
    /// <param name="maskPenalty">As given to <see cref="Forward"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is not positive (batch, tokens: negative).</exception>
    /// <exception cref="ArgumentException">heads does not divide channels.</exception>
    public static void Backward(
        float* q, float* k, float* v, float* mask, float* dOutput, float* dQ, float* dK, float* dV,
        int batch, int tokens, int words, int channels, int heads, float scale, float maskPenalty)
    {
        WordAttentionSizes sizes = Checked(batch, tokens, words, channels, heads, scale, maskPenalty);
        if (batch == 0) return;
        switch (CpuInfo.VectorBits)
        {
            case 512:
                Backward<F512>(sizes, q, k, v, mask, dOutput, dQ, dK, dV);
                break;
            case 256:
                Backward<F256>(sizes, q, k, v, mask, dOutput, dQ, dK, dV);
                break;
            default:
                Backward<F128>(sizes, q, k, v, mask, dOutput, dQ, dK, dV);
                break;
        }
    }

    private static void Forward<V>(WordAttentionSizes sizes, float* q, float* k, float* v, float* mask, float* output)
        where V : struct, ISimd<V>
    {
        using WordAttentionInput<V> input = new(sizes, columns: k, moreColumns: null, rows: v, mask);
        WordAttentionForward<V> forward = new(input, q, output);
        Workers.Current.For(forward.Pieces, ref forward);
    }

    private static void Backward<V>(
        WordAttentionSizes sizes, float* q, float* k, float* v, float* mask, float* dOutput, float* dQ, float* dK, float* dV)
        where V : struct, ISimd<V>
    {
        using WordAttentionInput<V> input = new(sizes, columns: k, moreColumns: v, rows: k, mask);
        WordAttentionBackward<V> backward = new(input, q, dOutput, dQ);
        try
        {
            Workers.Current.For(backward.Pieces, ref backward);
            backward.Reduce(dK, dV);
        }
        finally
        {
            backward.Dispose();
        }
    }

    private static WordAttentionSizes Checked(int batch, int tokens, int words, int channels, int heads, float scale, float maskPenalty)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(batch);
        ArgumentOutOfRangeException.ThrowIfNegative(tokens);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(words);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(channels);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(heads);
        if (channels % heads != 0)
            throw new ArgumentException($"the number of channels, {channels}, must be a multiple of the number of heads, {heads}", nameof(heads));
        return new WordAttentionSizes(batch, tokens, words, channels, heads, scale, maskPenalty);
    }
}
