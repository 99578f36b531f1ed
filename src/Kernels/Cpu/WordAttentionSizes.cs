namespace Lavt.Kernels.Cpu;

/// <summary>The sizes of a <see cref="WordAttention"/> and what its scores are multiplied by and reduced by.</summary>
internal readonly record struct WordAttentionSizes(
    int Batch, int Tokens, int Words, int Channels, int Heads, float Scale, float MaskPenalty)
{
    public int HeadDim => Channels / Heads;

    /// <summary>The offset of a head of a token from the start of q.</summary>
    public nint Offset(int sample, int token, int head) => ((nint)sample * Tokens + token) * Channels + (nint)head * HeadDim;
}
