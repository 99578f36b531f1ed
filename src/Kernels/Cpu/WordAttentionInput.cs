using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// What both directions of <see cref="WordAttention"/> read: the sizes, and the words of each head packed as the small
/// products need them.
/// </summary>
internal readonly unsafe struct WordAttentionInput<V> : IDisposable
    where V : struct, ISimd<V>
{
    private readonly float* _block;
    private readonly long _bytes;
    private readonly nint _columnsLength;
    private readonly nint _rowsLength;

    /// <param name="sizes">The sizes of the problem.</param>
    /// <param name="columns">k [batch, words, channels], packed with a column per word.</param>
    /// <param name="moreColumns">v, packed like it, or null.</param>
    /// <param name="rows">k or v [batch, words, channels], packed with a row per word.</param>
    /// <param name="mask">[batch, words], 1 for a word and 0 for padding.</param>
    public WordAttentionInput(WordAttentionSizes sizes, float* columns, float* moreColumns, float* rows, float* mask)
    {
        Sizes = sizes;
        WordStride = AttentionRows.Pad<V>(sizes.Words);
        RowStride = AttentionRows.Pad<V>(sizes.HeadDim);
        _columnsLength = (nint)sizes.HeadDim * WordStride;
        _rowsLength = (nint)sizes.Words * RowStride;
        nint floats = sizes.Batch * (sizes.Heads * (2 * _columnsLength + _rowsLength) + WordStride);
        _bytes = (long)floats * sizeof(float);
        _block = (float*)HostAllocator.Allocate(_bytes);
        Pack pack = new() { Input = this, Columns = columns, MoreColumns = moreColumns, RowSource = rows, Mask = mask };
        Workers.Current.For(sizes.Batch * sizes.Heads, ref pack);
    }

    public WordAttentionSizes Sizes { get; }

    /// <summary>The number of words, padded to whole vectors.</summary>
    public int WordStride { get; }

    /// <summary>The number of channels of a head, padded to whole vectors.</summary>
    public int RowStride { get; }

    /// <summary>Whether a head's channels are whole vectors: then tokens are read and written where they lie.</summary>
    public bool WholeVectors => RowStride == Sizes.HeadDim;

    /// <summary>k of a head (batch · heads in all) [headDim, <see cref="WordStride"/>], times scale and log2(e); 0 past the last word.</summary>
    public float* Columns(int head) => _block + head * _columnsLength;

    /// <summary>v in the same form, but as it is.</summary>
    public float* MoreColumns(int head) => Columns(Sizes.Batch * Sizes.Heads + head);

    /// <summary>[words, <see cref="RowStride"/>] of a head; 0 past the last channel.</summary>
    public float* Rows(int head) => Columns(2 * Sizes.Batch * Sizes.Heads) + head * _rowsLength;

    /// <summary>What is added to the scores of a sample [<see cref="WordStride"/>], in units of ln 2.</summary>
    public float* Offsets(int sample) => Rows(Sizes.Batch * Sizes.Heads) + (nint)sample * WordStride;

    /// <inheritdoc/>
    public void Dispose() => HostAllocator.Release((nint)_block, _bytes);

    private struct Pack : ILoopBody
    {
        public WordAttentionInput<V> Input;
        public float* Columns;
        public float* MoreColumns;
        public float* RowSource;
        public float* Mask;

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        public readonly void Run(int index, int worker)
        {
            WordAttentionSizes sizes = Input.Sizes;
            int sample = index / sizes.Heads, head = index % sizes.Heads;
            nint start = ((nint)sample * sizes.Words * sizes.Heads + head) * sizes.HeadDim;
            PackColumns(Columns + start, Input.Columns(index));
            float* keys = Input.Columns(index);
            for (int i = 0; i < sizes.HeadDim * Input.WordStride; i += V.Width) V.Store(V.Load(keys + i) * V.Broadcast(sizes.Scale * AttentionSoftmax.Log2E), keys + i);
            if (MoreColumns != null) PackColumns(MoreColumns + start, Input.MoreColumns(index));
            float* rows = Input.Rows(index);
            for (int i = 0; i < sizes.Words; i++)
                AttentionRows.CopyPadded<V>(RowSource + start + (nint)i * sizes.Channels, rows + (nint)i * Input.RowStride, sizes.HeadDim, Input.RowStride);
            if (head > 0) return;
            float* offsets = Input.Offsets(sample);
            for (int i = 0; i < Input.WordStride; i++)
            {
                offsets[i] = i < sizes.Words
                    ? AttentionSoftmax.Log2E * sizes.MaskPenalty * (Mask[(nint)sample * sizes.Words + i] - 1f)
                    : AttentionSoftmax.NoKey;
            }
        }

        private readonly void PackColumns(float* source, float* columns)
        {
            WordAttentionSizes sizes = Input.Sizes;
            int stride = Input.WordStride;
            Transpose.Run(source, sizes.Channels, columns, stride, sizes.Words, sizes.HeadDim);
            for (int d = 0; d < sizes.HeadDim; d++) new Span<float>(columns + (nint)d * stride + sizes.Words, stride - sizes.Words).Clear();
        }
    }
}
