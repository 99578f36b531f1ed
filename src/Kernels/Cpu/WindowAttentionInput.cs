using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>What a head of a window reads: the parts q, k and v of its tokens, where they lie in the map.</summary>
internal readonly unsafe struct WindowAttentionInput
{
    public const int Query = 0;
    public const int Key = 1;
    public const int Value = 2;

    private readonly float* _qkv;
    private readonly float* _qkvBias;

    /// <param name="qkv">[maps, tokens, 3 · heads · headDim].</param>
    /// <param name="qkvBias">[3 · heads · headDim], which padding tokens have as their q, k and v; null: zeros.</param>
    /// <param name="grid">The windows of each map.</param>
    /// <param name="tokens">The number of tokens of a map.</param>
    /// <param name="heads">The number of heads.</param>
    /// <param name="headDim">The number of channels of a head.</param>
    public WindowAttentionInput(float* qkv, float* qkvBias, WindowAttentionGrid grid, int tokens, int heads, int headDim)
    {
        _qkv = qkv;
        _qkvBias = qkvBias;
        Grid = grid;
        Tokens = tokens;
        Heads = heads;
        HeadDim = headDim;
    }

    public WindowAttentionGrid Grid { get; }

    /// <summary>The number of tokens of a map.</summary>
    public int Tokens { get; }

    public int Heads { get; }

    public int HeadDim { get; }

    /// <summary>What products q·k are multiplied by.</summary>
    public float Scale => (float)(1 / Math.Sqrt(HeadDim));

    /// <summary>What q is multiplied by as it is gathered, so that its products with k are scores in units of ln 2.</summary>
    public float QueryFactor => (float)(Math.Log2(Math.E) / Math.Sqrt(HeadDim));

    /// <summary>The offset of a head's q, k or v from the start of qkv; token is not padding.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public nint Offset(int picture, int token, int part, int head)
    {
        nint row = (nint)picture * Tokens + token;
        return (row * 3 + part) * Heads * HeadDim + (nint)head * HeadDim;
    }

    /// <summary>
    /// Gathers q times <see cref="QueryFactor"/> of the tokens that are not padding; returns their number and in
    /// <paramref name="positions"/> which they are.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public int GatherQueries<V>(int picture, int window, int head, float* queries, int stride, int* positions)
        where V : struct, ISimd<V>
    {
        int* tokens = Grid.Tokens(window);
        int count = 0;
        for (int i = 0; i < Grid.Size; i++)
        {
            if (tokens[i] < 0) continue;
            AttentionRows.ScalePadded<V>(_qkv + Offset(picture, tokens[i], Query, head), QueryFactor, queries, HeadDim, stride);
            queries += stride;
            positions[count++] = i;
        }
        return count;
    }

    /// <summary>Gathers k or v of all tokens as the rows of a matrix [N, stride].</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void GatherRows<V>(int picture, int window, int part, int head, float* rows, int stride)
        where V : struct, ISimd<V>
    {
        int* tokens = Grid.Tokens(window);
        float* source = _qkv + Offset(picture, 0, part, head);
        float* padding = _qkvBias == null ? null : _qkvBias + ((nint)part * Heads + head) * HeadDim;
        nint tokenStride = (nint)3 * Heads * HeadDim;
        for (int i = 0; i < Grid.Size; i++, rows += stride)
        {
            if (tokens[i] >= 0) AttentionRows.CopyPadded<V>(source + tokens[i] * tokenStride, rows, HeadDim, stride);
            else AttentionRows.CopyPadded<V>(padding, rows, padding == null ? 0 : HeadDim, stride);
        }
    }

    /// <summary>Gathers k or v of all tokens as the columns of a matrix [headDim, columnStride], by way of <paramref name="rows"/> [N, stride].</summary>
    public void GatherColumns<V>(int picture, int window, int part, int head, float* rows, int stride, float* columns, int columnStride)
        where V : struct, ISimd<V>
    {
        GatherRows<V>(picture, window, part, head, rows, stride);
        Transpose.Run(rows, stride, columns, columnStride, Grid.Size, HeadDim);
        if (columnStride == Grid.Size) return;
        for (int d = 0; d < HeadDim; d++) new Span<float>(columns + (nint)d * columnStride + Grid.Size, columnStride - Grid.Size).Clear();
    }

    /// <summary>
    /// Asks for q, k or v of the tokens from … to − 1 of a window ahead of their use. The tokens of a window lie far
    /// apart, which no prefetcher of a processor foresees; asking while the head before is computed hides the latency.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Prefetch(int picture, int window, int part, int head, int from, int to)
    {
        const int CacheLine = 16;
        int* tokens = Grid.Tokens(window);
        float* source = _qkv + Offset(picture, 0, part, head);
        nint tokenStride = (nint)3 * Heads * HeadDim;
        for (int i = from; i < to; i++)
        {
            if (tokens[i] < 0) continue;
            float* row = source + tokens[i] * tokenStride;
            for (int d = 0; d < HeadDim; d += CacheLine) AttentionRows.Prefetch(row + d);
        }
    }
}
