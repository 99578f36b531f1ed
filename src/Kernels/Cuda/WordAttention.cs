using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Attention of many tokens to a few words; see <see cref="Cpu.WordAttention"/>.</summary>
public static unsafe class WordAttention
{
    private const int Queries = 32, Threads = 256, ChannelsPerBlock = 32;
    private const string File = "WordAttention.cu";

    private static readonly CudaKernel s_forward = new(File, "word_attention_forward");
    private static readonly CudaKernel s_backwardQueries = new(File, "word_attention_backward_queries");
    private static readonly CudaKernel s_backwardWords = new(File, "word_attention_backward_words");

    /// <inheritdoc cref="Cpu.WordAttention.Forward"/>
    public static void Forward(CudaStream stream, float* q, float* k, float* v, float* mask, float* y, int batch, int tokens, int words, int channels, int heads, float scale, float penalty)
    {
        Sizes sizes = new() { Tokens = tokens, Words = words, Channels = channels, Heads = heads, Scale = scale, Penalty = penalty };
        s_forward.Launch(stream, Blocks(sizes, batch), Threads, Queries * words * sizeof(float), q, k, v, mask, y, KernelArgument.ByValue(&sizes));
    }

    /// <inheritdoc cref="Cpu.WordAttention.Backward"/>
    public static void Backward(CudaStream stream, float* q, float* k, float* v, float* mask, float* dy, float* dq, float* dk, float* dv, int batch, int tokens, int words, int channels, int heads, float scale, float penalty)
    {
        Sizes sizes = new() { Tokens = tokens, Words = words, Channels = channels, Heads = heads, Scale = scale, Penalty = penalty };
        long scores = (long)batch * heads * tokens * words;
        using CudaScratch scratch = new(stream, 2 * scores * sizeof(float));
        float* probabilities = (float*)scratch.Address, slopes = probabilities + scores;
        s_backwardQueries.Launch(stream, Blocks(sizes, batch), Threads, 2 * Queries * words * sizeof(float), q, k, v, mask, dy, dq, probabilities, slopes, KernelArgument.ByValue(&sizes));
        BackwardWords(stream, slopes, q, scale, dk, batch, sizes);
        BackwardWords(stream, probabilities, dy, 1, dv, batch, sizes);
    }

    /// <summary>The gradient of k or v: sums over the tokens, in chunks that are added in their order.</summary>
    private static void BackwardWords(CudaStream stream, float* weights, float* values, float factor, float* result, int batch, Sizes sizes)
    {
        (int chunks, int tokensPerChunk) = ColumnSum.Split(sizes.Tokens);
        int columns = checked(batch * sizes.Words * sizes.Channels), headDim = sizes.Channels / sizes.Heads;
        using CudaScratch partials = new(stream, (long)chunks * columns * sizeof(float));
        Grid grid = new((headDim + ChannelsPerBlock - 1) / ChannelsPerBlock, chunks, batch * sizes.Heads);
        s_backwardWords.Launch(stream, grid, Threads, 0, weights, values, factor, tokensPerChunk, partials.Address, KernelArgument.ByValue(&sizes));
        ColumnSum.AddChunks(stream, (float*)partials.Address, chunks, columns, result);
    }

    private static Grid Blocks(in Sizes sizes, int batch) => new((sizes.Tokens + Queries - 1) / Queries, batch, sizes.Heads);

    /// <summary>As WordAttention.cu declares it.</summary>
    private struct Sizes
    {
        public int Tokens, Words, Channels, Heads;
        public float Scale, Penalty;
    }
}
