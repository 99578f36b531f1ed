using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The backward pass of <see cref="WordAttention"/>: one piece is one head of a group of tokens. The probabilities are
/// computed again from q and k.
/// </summary>
/// <remarks>
/// The gradients of k and v are sums over all tokens. Each piece has partial sums of its own, which are added up in
/// order; the number of pieces depends on the sizes alone, so the result does not depend on the number of workers.
/// </remarks>
internal readonly unsafe struct WordAttentionBackward<V> : ILoopBody, IDisposable
    where V : struct, ISimd<V>
{
    /// <summary>Tokens whose probabilities are held at once.</summary>
    private const int TokenBlock = 48;

    /// <summary>About as many pieces are made: enough to share out among many cores, few enough for their partial sums.</summary>
    private const int TargetPieces = 32;

    private readonly WordAttentionInput<V> _input;
    private readonly float* _q;
    private readonly float* _dOutput;
    private readonly float* _dQ;
    private readonly float* _partial;
    private readonly int _blocks;
    private readonly int _groups;

    /// <param name="input">Columns of k, more columns of v, rows of k.</param>
    /// <param name="q">[batch, tokens, channels].</param>
    /// <param name="dOutput">[batch, tokens, channels].</param>
    /// <param name="dQ">[batch, tokens, channels], overwritten.</param>
    public WordAttentionBackward(WordAttentionInput<V> input, float* q, float* dOutput, float* dQ)
    {
        _input = input;
        _q = q;
        _dOutput = dOutput;
        _dQ = dQ;
        _blocks = (input.Sizes.Tokens + TokenBlock - 1) / TokenBlock;
        _groups = Math.Max(1, Math.Min(_blocks, TargetPieces / (input.Sizes.Batch * input.Sizes.Heads)));
        _partial = (float*)HostAllocator.Allocate(PartialBytes);
    }

    /// <summary>The number of pieces of the loop.</summary>
    public int Pieces => _input.Sizes.Batch * _input.Sizes.Heads * _groups;

    /// <summary>Floats of one partial sum of dK or dV: [words, row stride].</summary>
    private int PartialLength => _input.Sizes.Words * _input.RowStride;

    private long PartialBytes => (long)Pieces * 2 * PartialLength * sizeof(float);

    /// <inheritdoc/>
    public void Dispose() => HostAllocator.Release((nint)_partial, PartialBytes);

    public KernelWork Describe(int pieces)
    {
        // Five products, as in the backward pass of window attention.
        double tokens = (double)_input.Sizes.Batch * _input.Sizes.Tokens, channels = _input.Sizes.Channels;
        return new KernelWork(
            $"WordAttention.Backward {tokens} x {_input.Sizes.Words}, {channels} channels",
            10 * tokens * _input.Sizes.Words * channels,
            sizeof(float) * 3 * tokens * channels);
    }

    public void Run(int index, int worker)
    {
        WordAttentionSizes sizes = _input.Sizes;
        int head = index / _groups % sizes.Heads, sample = index / _groups / sizes.Heads, group = index % _groups;
        float* dKeys = _partial + (nint)index * 2 * PartialLength;
        new Span<float>(dKeys, 2 * PartialLength).Clear();
        Buffers buffers = new((float*)Workers.Scratch((long)new Buffers(null, _input.WordStride, _input.RowStride).End), _input.WordStride, _input.RowStride);
        int end = (int)((group + 1L) * _blocks / _groups);
        for (int block = (int)((long)group * _blocks / _groups); block < end; block++)
        {
            int token = block * TokenBlock;
            Block(buffers, sample, head, token, Math.Min(TokenBlock, sizes.Tokens - token), dKeys, dKeys + PartialLength);
        }
    }

    /// <summary>Adds up the partial sums: dK and dV [batch, words, channels], overwritten.</summary>
    public void Reduce(float* dK, float* dV)
    {
        ReduceHead reduce = new() { Backward = this, DK = dK, DV = dV };
        Workers.Current.For(_input.Sizes.Batch * _input.Sizes.Heads, ref reduce);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Block(Buffers buffers, int sample, int head, int token, int rows, float* dKeys, float* dValues)
    {
        WordAttentionSizes sizes = _input.Sizes;
        int words = _input.WordStride, stride = _input.RowStride, inBatch = sample * sizes.Heads + head;
        nint offset = sizes.Offset(sample, token, head);
        nint tokenStride = _input.WholeVectors ? sizes.Channels : stride;
        float* queries = WholeRows(_q + offset, buffers.Queries, rows);
        float* gradients = WholeRows(_dOutput + offset, buffers.OutputGradients, rows);

        AttentionProduct.Multiply<V>(queries, tokenStride, _input.Columns(inBatch), words, buffers.Probabilities, words, rows, sizes.HeadDim, words,
            new(_input.Offsets(sample), stride: 0));
        AttentionProduct.Multiply<V>(gradients, tokenStride, _input.MoreColumns(inBatch), words, buffers.ScoreGradients, words, rows, sizes.HeadDim, words);
        SoftmaxGradients(buffers, rows);
        AttentionProduct.AddTransposed<V>(buffers.ScoreGradients, words, queries, tokenStride, dKeys, stride, sizes.Words, rows, stride);
        AttentionProduct.AddTransposed<V>(buffers.Probabilities, words, gradients, tokenStride, dValues, stride, sizes.Words, rows, stride);

        float* dQ = _input.WholeVectors ? _dQ + offset : buffers.QueryGradients;
        AttentionProduct.Multiply<V>(buffers.ScoreGradients, words, _input.Rows(inBatch), stride, dQ, tokenStride, rows, sizes.Words, stride);
        if (_input.WholeVectors) return;
        for (int i = 0; i < rows; i++)
            AttentionRows.Scale<V>(dQ + i * stride, 1f, _dQ + offset + (nint)i * sizes.Channels, sizes.HeadDim);
    }

    /// <summary>P, and the gradient with respect to the products q·k.</summary>
    private void SoftmaxGradients(Buffers buffers, int rows)
    {
        int words = _input.WordStride;
        AttentionSoftmax.Exponentials<V>(buffers.Probabilities, null, buffers.InverseSums, rows, words);
        for (int i = 0; i < rows; i++)
        {
            float* probabilities = buffers.Probabilities + i * words;
            float* gradients = buffers.ScoreGradients + i * words;
            AttentionSoftmax.Gradient<V>(probabilities, gradients, buffers.InverseSums[i], null, words);
            AttentionRows.Scale<V>(gradients, _input.Sizes.Scale, gradients, words);
        }
    }

    /// <summary>A head of some tokens as rows of whole vectors: where it lies, or copied and padded.</summary>
    private float* WholeRows(float* source, float* copy, int rows)
    {
        if (_input.WholeVectors) return source;
        for (int i = 0; i < rows; i++)
            AttentionRows.CopyPadded<V>(source + (nint)i * _input.Sizes.Channels, copy + i * _input.RowStride, _input.Sizes.HeadDim, _input.RowStride);
        return copy;
    }

    private struct ReduceHead : ILoopBody
    {
        public WordAttentionBackward<V> Backward;
        public float* DK;
        public float* DV;

        public readonly void Run(int index, int worker)
        {
            WordAttentionSizes sizes = Backward._input.Sizes;
            int sample = index / sizes.Heads, head = index % sizes.Heads;
            nint offset = ((nint)sample * sizes.Words * sizes.Heads + head) * sizes.HeadDim;
            float* partial = Backward._partial + (nint)index * Backward._groups * 2 * Backward.PartialLength;
            Sum(partial, DK + offset);
            Sum(partial + Backward.PartialLength, DV + offset);
        }

        /// <summary>Adds the other groups' sums to the first one's and writes that.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void Sum(float* partial, float* destination)
        {
            int length = Backward.PartialLength, stride = Backward._input.RowStride;
            for (int group = 1; group < Backward._groups; group++)
            {
                float* other = partial + (nint)group * 2 * length;
                for (int i = 0; i < length; i += V.Width) V.Store(V.Load(partial + i) + V.Load(other + i), partial + i);
            }
            WordAttentionSizes sizes = Backward._input.Sizes;
            for (int i = 0; i < sizes.Words; i++)
                AttentionRows.Scale<V>(partial + i * stride, 1f, destination + (nint)i * sizes.Channels, sizes.HeadDim);
        }
    }

    /// <summary>The scratch memory of a block of tokens; every part begins on a cache line.</summary>
    private readonly struct Buffers
    {
        public readonly float* Probabilities;
        public readonly float* ScoreGradients;
        public readonly float* Queries;
        public readonly float* OutputGradients;
        public readonly float* QueryGradients;
        public readonly float* InverseSums;
        public readonly float* End;

        public Buffers(float* start, int wordStride, int rowStride)
        {
            nint scores = (nint)TokenBlock * wordStride, tokens = (nint)TokenBlock * rowStride;
            Probabilities = start;
            ScoreGradients = AttentionRows.After(Probabilities, scores);
            Queries = AttentionRows.After(ScoreGradients, scores);
            OutputGradients = AttentionRows.After(Queries, tokens);
            QueryGradients = AttentionRows.After(OutputGradients, tokens);
            InverseSums = AttentionRows.After(QueryGradients, tokens);
            End = AttentionRows.After(InverseSums, TokenBlock);
        }
    }
}
