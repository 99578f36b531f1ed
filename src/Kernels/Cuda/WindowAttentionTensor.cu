// Attention within shifted windows, forward, on the matrix units: operands are rounded to bfloat16 or float16, heads have 32 channels. A warp
// has 16 queries; keys and values pass by, ROWS at a time. blockIdx = (sample windows + window, head, part of the queries).
#define HEAD_DIM 32
#include "WindowAttention.cuh"

#define MOST_WARPS 9
#define WIDTH (HEAD_DIM + 8)     // rows of 80 bytes: the eight rows that ldmatrix reads at once lie in different banks

// The four lanes that share a row of the scores.
DEVICE float rowMax(float x)
{
    x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 1));
    return fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 2));
}

DEVICE float rowSum(float x)
{
    x += __shfl_xor_sync(ALL_LANES, x, 1);
    return x + __shfl_xor_sync(ALL_LANES, x, 2);
}

template <class T> DEVICE void attendOnMatrixUnits(const STORED* qkv, const float* qkvBias, const float* biasTable, float* table, STORED* y, const Geometry& g)
{
    __shared__ __align__(16) T queries[MOST_WARPS * 16][WIDTH], keys[ROWS][WIDTH], values[ROWS][WIDTH];
    __shared__ int places[MOST_WARPS * 16];
    __shared__ Others others;
    const float infinity = __int_as_float(0x7F800000);
    int windows = g.across.frames * g.across.height * g.across.width, window = blockIdx.x % windows, channels = g.heads * g.headDim, centre = tableCentre(g);
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, rows = blockDim.x / 2, firstQuery = blockIdx.z * rows;
    i64 sample = blockIdx.x / windows;
    loadTable(g, biasTable, table);
    for (int i = threadIdx.x; i < rows; i += blockDim.x) places[i] = tokenAt(g, window, firstQuery + i).place;
    __syncthreads();
    gather(g, sourceOf(g, qkv, qkvBias, sample, 0), places, rows, g.scale, queries);
    __syncthreads();
    u32 query[2][4];
    for (int half = 0; half < 2; half++) loadMatrices(query[half], &queries[warp * 16 + (lane & 15)][half * 16 + (lane >> 4) * 8]);
    // This lane has two rows of the scores and of the result, eight apart.
    int firstRow = firstQuery + warp * 16 + (lane >> 2);
    Token mine[2] = {tokenAt(g, window, firstRow), tokenAt(g, window, firstRow + 8)};
    float largest[2] = {-infinity, -infinity}, total[2] = {}, sums[HEAD_DIM / 8][4] = {};
    for (int first = 0; first < g.size; first += ROWS)
    {
        gatherOthers(g, window, first, others, sourceOf(g, qkv, qkvBias, sample, 1), 1.f, keys, sourceOf(g, qkv, qkvBias, sample, 2), values);
        float scores[ROWS / 8][4] = {};
        #pragma unroll
        for (int j = 0; j < ROWS / 16; j++)
            #pragma unroll
            for (int half = 0; half < 2; half++)
            {
                u32 key[4];
                loadMatrices(key, &keys[j * 16 + (lane & 7) + (lane >> 4) * 8][half * 16 + ((lane >> 3) & 1) * 8]);
                HalfType<T>::multiplyAdd(scores[2 * j], query[half], key[0], key[1]);
                HalfType<T>::multiplyAdd(scores[2 * j + 1], query[half], key[2], key[3]);
            }
        float larger[2] = {largest[0], largest[1]};
        #pragma unroll
        for (int j = 0; j < ROWS / 8; j++)
            #pragma unroll
            for (int e = 0; e < 4; e++)
            {
                int column = j * 8 + (lane & 3) * 2 + (e & 1);
                const Token& token = mine[e >> 1];
                scores[j][e] = first + column < g.size
                    ? scores[j][e] + table[token.position - others.positions[column] + centre] + (others.regions[column] != token.region ? OTHER_REGION : 0.f) : -infinity;
                larger[e >> 1] = fmaxf(larger[e >> 1], scores[j][e]);
            }
        #pragma unroll
        for (int row = 0; row < 2; row++)
        {
            larger[row] = rowMax(larger[row]);
            float shrink = expf(largest[row] - larger[row]);
            largest[row] = larger[row];
            total[row] *= shrink;
            #pragma unroll
            for (int j = 0; j < HEAD_DIM / 8; j++)
            {
                sums[j][2 * row] *= shrink;
                sums[j][2 * row + 1] *= shrink;
            }
        }
        #pragma unroll
        for (int j = 0; j < ROWS / 8; j++)
            #pragma unroll
            for (int e = 0; e < 4; e++) total[e >> 1] += scores[j][e] = expf(scores[j][e] - largest[e >> 1]);
        // The scores of two blocks of eight keys are the left operand as they lie.
        #pragma unroll
        for (int j = 0; j < ROWS / 16; j++)
        {
            const float *left = scores[2 * j], *right = scores[2 * j + 1];
            u32 weights[4];
            #pragma unroll
            for (int pair = 0; pair < 2; pair++)
            {
                weights[pair] = HalfType<T>::pack(left[2 * pair], left[2 * pair + 1]);
                weights[2 + pair] = HalfType<T>::pack(right[2 * pair], right[2 * pair + 1]);
            }
            #pragma unroll
            for (int half = 0; half < 2; half++)
            {
                u32 value[4];
                loadMatricesTransposed(value, &values[j * 16 + (lane & 15)][half * 16 + (lane >> 4) * 8]);
                HalfType<T>::multiplyAdd(sums[2 * half], weights, value[0], value[1]);
                HalfType<T>::multiplyAdd(sums[2 * half + 1], weights, value[2], value[3]);
            }
        }
        __syncthreads();
    }
    y += sample * g.tokens * channels + blockIdx.y * HEAD_DIM + (lane & 3) * 2;
    #pragma unroll
    for (int row = 0; row < 2; row++)
    {
        float factor = 1.f / rowSum(total[row]);
        if (mine[row].place < 0) continue;
        #pragma unroll
        for (int j = 0; j < HEAD_DIM / 8; j++)
            storePair(y + (i64)mine[row].place * channels + j * 8, factor * sums[j][2 * row], factor * sums[j][2 * row + 1]);
    }
}

#define ATTENTION_KERNEL(T)                                                                                                        \
    extern "C" __global__ void __launch_bounds__(MOST_WARPS * 32) window_attention_forward_##T(                                    \
        const STORED* __restrict__ qkv, const float* __restrict__ qkvBias, const float* __restrict__ biasTable, STORED* y, Geometry g) \
    {                                                                                                                              \
        extern __shared__ float table[];                                                                                           \
        attendOnMatrixUnits<T>(qkv, qkvBias, biasTable, table, y, g);                                                              \
    }

ATTENTION_KERNEL(bf16)
ATTENTION_KERNEL(f16)
