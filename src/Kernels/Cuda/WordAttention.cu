// Attention of tokens to a few words: softmax over the words of scale q k + penalty (mask - 1), times v. Blocks have QUERIES
// tokens of one head of one sample, a warp has QUERIES / WARPS of them; blockIdx = (tokens, sample, head).
#include "Common.cuh"

#define QUERIES 32
#define WARPS 8
#define THREADS 256
#define MINE (QUERIES / WARPS)
#define DEPTH 32

struct Sizes
{
    int tokens, words, channels, heads;
    float scale, penalty;
};

// The tile of a block, and where the head's part of a row of q, k, v lies.
struct Tile
{
    int first, count, lane, warp, headDim;
    i64 tokens, words;      // the first row of the sample in q and y, in k and v
    int channel;
};

DEVICE Tile myTile(const Sizes& sizes)
{
    Tile tile;
    tile.first = blockIdx.x * QUERIES;
    tile.count = min(QUERIES, sizes.tokens - tile.first);
    tile.lane = threadIdx.x & 31;
    tile.warp = threadIdx.x >> 5;
    tile.headDim = sizes.channels / sizes.heads;
    tile.tokens = (i64)blockIdx.y * sizes.tokens;
    tile.words = (i64)blockIdx.y * sizes.words;
    tile.channel = blockIdx.z * tile.headDim;
    return tile;
}

// products[query][word] = left[query] right[word] over the head's channels. A lane has a word, its warp MINE queries.
DEVICE void multiplyWords(const Sizes& sizes, const Tile& tile, const float* __restrict__ left, const float* __restrict__ right, float* products)
{
    __shared__ float queries[QUERIES][DEPTH + 1], words[32][DEPTH + 1];
    left += (tile.tokens + tile.first) * sizes.channels + tile.channel;
    right += tile.words * sizes.channels + tile.channel;
    for (int firstWord = 0; firstWord < sizes.words; firstWord += 32)
    {
        float sums[MINE] = {};
        for (int depth = 0; depth < tile.headDim; depth += DEPTH)
        {
            bool isInside = depth + tile.lane < tile.headDim;
            for (int row = tile.warp; row < 32; row += WARPS)
            {
                queries[row][tile.lane] = isInside && row < tile.count ? left[(i64)row * sizes.channels + depth + tile.lane] : 0.f;
                words[row][tile.lane] = isInside && firstWord + row < sizes.words ? right[(i64)(firstWord + row) * sizes.channels + depth + tile.lane] : 0.f;
            }
            __syncthreads();
            #pragma unroll 8
            for (int d = 0; d < DEPTH; d++)
                #pragma unroll
                for (int i = 0; i < MINE; i++) sums[i] = fmaf(queries[tile.warp * MINE + i][d], words[tile.lane][d], sums[i]);
            __syncthreads();
        }
        if (firstWord + tile.lane < sizes.words)
            for (int i = 0; i < MINE; i++) products[(tile.warp * MINE + i) * sizes.words + firstWord + tile.lane] = sums[i];
    }
    __syncwarp();
}

// Turns the products of q and k into probabilities; each warp for its own queries.
DEVICE void softmaxWords(const Sizes& sizes, const Tile& tile, const float* __restrict__ mask, float* products)
{
    mask += tile.words;
    for (int i = 0; i < MINE; i++)
    {
        float* row = products + (tile.warp * MINE + i) * sizes.words;
        float largest = -__int_as_float(0x7F800000), sum = 0.f;
        for (int word = tile.lane; word < sizes.words; word += 32)
        {
            row[word] = fmaf(row[word], sizes.scale, sizes.penalty * (mask[word] - 1.f));
            largest = fmaxf(largest, row[word]);
        }
        largest = warpMax(largest);
        for (int word = tile.lane; word < sizes.words; word += 32) sum += row[word] = expf(row[word] - largest);
        sum = 1.f / warpSum(sum);
        for (int word = tile.lane; word < sizes.words; word += 32) row[word] *= sum;
    }
    __syncwarp();
}

// y[query] = factor times the sum over the words of weights[query][word] values[word]. A lane has a channel, its warp MINE queries.
DEVICE void addWords(const Sizes& sizes, const Tile& tile, const float* weights, const float* __restrict__ values, float factor, float* y)
{
    weights += tile.warp * MINE * sizes.words;
    values += tile.words * sizes.channels + tile.channel;
    y += (tile.tokens + tile.first + tile.warp * MINE) * sizes.channels + tile.channel;
    for (int c = tile.lane; c < tile.headDim; c += 32)
    {
        float sums[MINE] = {};
        for (int word = 0; word < sizes.words; word++)
        {
            float value = values[(i64)word * sizes.channels + c];
            #pragma unroll
            for (int i = 0; i < MINE; i++) sums[i] = fmaf(weights[i * sizes.words + word], value, sums[i]);
        }
        #pragma unroll
        for (int i = 0; i < MINE; i++)
            if (tile.warp * MINE + i < tile.count) y[(i64)i * sizes.channels + c] = factor * sums[i];
    }
}

// Dynamic shared memory: QUERIES x words floats.
extern "C" __global__ void __launch_bounds__(THREADS) word_attention_forward(
    const float* __restrict__ q, const float* __restrict__ k, const float* __restrict__ v, const float* __restrict__ mask, float* y, Sizes sizes)
{
    extern __shared__ float probabilities[];
    Tile tile = myTile(sizes);
    multiplyWords(sizes, tile, q, k, probabilities);
    softmaxWords(sizes, tile, mask, probabilities);
    addWords(sizes, tile, probabilities, v, 1.f, y);
}

// dq, and for the gradients of the words the probabilities and the gradients of the scores, each [sample, head, token, word].
// Dynamic shared memory: twice QUERIES x words floats.
extern "C" __global__ void __launch_bounds__(THREADS) word_attention_backward_queries(
    const float* __restrict__ q, const float* __restrict__ k, const float* __restrict__ v, const float* __restrict__ mask, const float* __restrict__ dy,
    float* dq, float* allProbabilities, float* allSlopes, Sizes sizes)
{
    extern __shared__ float probabilities[];
    float* slopes = probabilities + QUERIES * sizes.words;
    Tile tile = myTile(sizes);
    multiplyWords(sizes, tile, q, k, probabilities);
    softmaxWords(sizes, tile, mask, probabilities);
    multiplyWords(sizes, tile, dy, v, slopes);
    i64 first = (((i64)blockIdx.y * sizes.heads + blockIdx.z) * sizes.tokens + tile.first) * sizes.words;
    for (int query = tile.warp * MINE; query < min(tile.count, (tile.warp + 1) * MINE); query++)
    {
        float *p = probabilities + query * sizes.words, *s = slopes + query * sizes.words, mean = 0.f;
        for (int word = tile.lane; word < sizes.words; word += 32) mean += p[word] * s[word];
        mean = warpSum(mean);
        for (int word = tile.lane; word < sizes.words; word += 32)
        {
            s[word] = p[word] * (s[word] - mean);
            allProbabilities[first + query * sizes.words + word] = p[word];
            allSlopes[first + query * sizes.words + word] = s[word];
        }
    }
    __syncwarp();
    addWords(sizes, tile, slopes, k, sizes.scale, dq);
}

// The sums over a chunk of tokens of weights[token][word] values[token]: a lane has a channel, a warp has words.
// blockIdx = (32 channels of a head, chunk, sample heads + head); partials [chunk][sample][word][channels].
extern "C" __global__ void __launch_bounds__(THREADS) word_attention_backward_words(
    const float* __restrict__ weights, const float* __restrict__ values, float factor, int tokensPerChunk, float* partials, Sizes sizes)
{
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, headDim = sizes.channels / sizes.heads, c = blockIdx.x * 32 + lane;
    int sample = blockIdx.z / sizes.heads, head = blockIdx.z % sizes.heads, batch = gridDim.z / sizes.heads;
    int first = blockIdx.y * tokensPerChunk, last = min(sizes.tokens, first + tokensPerChunk);
    if (c >= headDim) return;
    weights += (i64)blockIdx.z * sizes.tokens * sizes.words;
    values += (i64)sample * sizes.tokens * sizes.channels + head * headDim + c;
    partials += ((i64)blockIdx.y * batch + sample) * sizes.words * sizes.channels + head * headDim + c;
    for (int word = warp; word < sizes.words; word += 4 * WARPS)
    {
        float sums[4] = {};
        for (int token = first; token < last; token++)
        {
            float value = values[(i64)token * sizes.channels];
            #pragma unroll
            for (int i = 0; i < 4; i++)
                if (word + i * WARPS < sizes.words) sums[i] = fmaf(weights[(i64)token * sizes.words + word + i * WARPS], value, sums[i]);
        }
        #pragma unroll
        for (int i = 0; i < 4; i++)
            if (word + i * WARPS < sizes.words) partials[(i64)(word + i * WARPS) * sizes.channels] = factor * sums[i];
    }
}
