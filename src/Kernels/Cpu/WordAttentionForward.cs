using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>The forward pass of <see cref="WordAttention"/>: one piece is one head of some tokens.</summary>
internal readonly unsafe struct WordAttentionForward<V> : ILoopBody
    where V : struct, ISimd<V>
{
    /// <summary>Tokens whose probabilities are held at once.</summary>
    private const int TokenBlock = 24;

    /// <summary>Pieces of less than this many multiply-adds would cost more to hand out than to do.</summary>
    private const long MinWork = 500_000;

    private readonly WordAttentionInput<V> _input;
    private readonly float* _q;
    private readonly float* _output;
    private readonly int _tokensPerPiece;
    private readonly int _piecesPerHead;

    public WordAttentionForward(WordAttentionInput<V> input, float* q, float* output)
    {
        _input = input;
        _q = q;
        _output = output;
        long blockWork = 2L * TokenBlock * input.Sizes.Words * input.Sizes.HeadDim;
        _tokensPerPiece = TokenBlock * (int)(1 + MinWork / blockWork);
        _piecesPerHead = (input.Sizes.Tokens + _tokensPerPiece - 1) / _tokensPerPiece;
    }

    /// <summary>The number of pieces of the loop.</summary>
    public int Pieces => _input.Sizes.Batch * _input.Sizes.Heads * _piecesPerHead;

    public void Run(int index, int worker)
    {
        WordAttentionSizes sizes = _input.Sizes;
        int head = index % sizes.Heads, part = index / sizes.Heads % _piecesPerHead, sample = index / sizes.Heads / _piecesPerHead;
        float* scores = (float*)Workers.Scratch((long)TokenBlock * (_input.WordStride + _input.RowStride + 1) * sizeof(float));
        float* result = scores + TokenBlock * _input.WordStride;
        int end = Math.Min(sizes.Tokens, (part + 1) * _tokensPerPiece);
        for (int token = part * _tokensPerPiece; token < end; token += TokenBlock)
            Attend(sample, head, token, Math.Min(TokenBlock, end - token), scores, result, result + TokenBlock * _input.RowStride);
    }

    public KernelWork Describe(int pieces)
    {
        WordAttentionSizes sizes = _input.Sizes;
        double tokens = sizes.Batch * sizes.Tokens, words = sizes.Batch * sizes.Words, channels = sizes.Channels;
        return new KernelWork(
            $"WordAttention {tokens} x {sizes.Words}, {channels} channels",
            4 * tokens * sizes.Words * channels,
            sizeof(float) * 2 * (tokens + words) * channels);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Attend(int sample, int head, int token, int rows, float* scores, float* result, float* inverseSums)
    {
        WordAttentionSizes sizes = _input.Sizes;
        int words = _input.WordStride, inBatch = sample * sizes.Heads + head;
        nint offset = sizes.Offset(sample, token, head);
        AttentionProduct.Multiply<V>(_q + offset, sizes.Channels, _input.Columns(inBatch), words, scores, words, rows, sizes.HeadDim, words,
            new(_input.Offsets(sample), stride: 0));
        AttentionSoftmax.Exponentials<V>(scores, null, inverseSums, rows, words);
        for (int i = 0; i < rows; i++) AttentionRows.Scale<V>(scores + i * words, inverseSums[i], scores + i * words, words);
        float* output = _output + offset;
        if (_input.WholeVectors)
        {
            AttentionProduct.Multiply<V>(scores, words, _input.Rows(inBatch), _input.RowStride, output, sizes.Channels, rows, sizes.Words, _input.RowStride);
            return;
        }
        AttentionProduct.Multiply<V>(scores, words, _input.Rows(inBatch), _input.RowStride, result, _input.RowStride, rows, sizes.Words, _input.RowStride);
        for (int i = 0; i < rows; i++)
            AttentionRows.Scale<V>(result + i * _input.RowStride, 1f, output + (nint)i * sizes.Channels, sizes.HeadDim);
    }
}
