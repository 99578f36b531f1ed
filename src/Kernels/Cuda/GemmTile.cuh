// Products of tiles of 64 x 64 whose operands a Loader brings: matrices as they lie, or gathered for a convolution. A Loader has
// the numbers a[LOADS] and b[LOADS] of the next step, which load(step) reads into registers while the current one is multiplied;
// number i of a belongs to row aRow(i) and depth aDepth(i) of the tile, number i of b to column bColumn(i) and depth bDepth(i).
#pragma once
#include "Common.cuh"
#include "HalfType.cuh"

#define TILE 64

// float32 on the ordinary units: a thread sums 4 x 4.
struct FloatSums
{
    static constexpr int THREADS = 256, DEPTH = 16;
    float sums[4][4] = {};

    template <class Loader> __device__ __forceinline__ void multiply(Loader& next, int steps)
    {
        // One more column keeps threads that read down a column in different banks.
        __shared__ float a[DEPTH][TILE + 1], b[DEPTH][TILE + 1];
        int row = threadIdx.x / 16, column = threadIdx.x % 16;
        if (steps > 0) next.load(0);
        for (int step = 0; step < steps; step++)
        {
            #pragma unroll
            for (int i = 0; i < Loader::LOADS; i++)
            {
                a[next.aDepth(i)][next.aRow(i)] = next.a[i];
                b[next.bDepth(i)][next.bColumn(i)] = next.b[i];
            }
            __syncthreads();
            if (step + 1 < steps) next.load(step + 1);
            // Sums of sums: depths are in the thousands, and one long chain would round too often.
            float partial[4][4] = {};
            #pragma unroll
            for (int d = 0; d < DEPTH; d++)
                #pragma unroll
                for (int i = 0; i < 4; i++)
                    #pragma unroll
                    for (int j = 0; j < 4; j++) partial[i][j] = fmaf(a[d][row + 16 * i], b[d][column + 16 * j], partial[i][j]);
            #pragma unroll
            for (int i = 0; i < 4; i++)
                #pragma unroll
                for (int j = 0; j < 4; j++) sums[i][j] += partial[i][j];
            __syncthreads();
        }
    }

    // use(row of the tile, column, sum) for each sum of this thread.
    template <class Use> __device__ __forceinline__ void forEach(Use use) const
    {
        #pragma unroll
        for (int i = 0; i < 4; i++)
            #pragma unroll
            for (int j = 0; j < 4; j++) use(threadIdx.x / 16 + 16 * i, threadIdx.x % 16 + 16 * j, sums[i][j]);
    }
};

// On the matrix units (mma.sync), operands rounded on their way into shared memory: four warps with 32 x 32 each.
struct TensorSums
{
    static constexpr int THREADS = 128, DEPTH = 32;
    float sums[2][4][4] = {};

    template <class Use> __device__ __forceinline__ void forEach(Use use) const
    {
        int lane = threadIdx.x & 31, row = (threadIdx.x >> 5 & 1) * 32 + (lane >> 2), column = (threadIdx.x >> 6) * 32 + (lane & 3) * 2;
        #pragma unroll
        for (int i = 0; i < 2; i++)
            #pragma unroll
            for (int j = 0; j < 4; j++)
                #pragma unroll
                for (int e = 0; e < 4; e++) use(row + i * 16 + (e >> 1) * 8, column + j * 8 + (e & 1), sums[i][j][e]);
    }
};

template <class T> struct HalfSums : TensorSums
{
    template <class Loader> __device__ __forceinline__ void multiply(Loader& next, int steps)
    {
        // Rows of 80 bytes: the eight rows that ldmatrix reads at once lie in different banks.
        __shared__ __align__(16) T a[2][TILE][DEPTH + 8], b[2][TILE][DEPTH + 8];
        int lane = threadIdx.x & 31, row = (threadIdx.x >> 5 & 1) * 32, column = (threadIdx.x >> 6) * 32;
        if (steps > 0) next.load(0);
        for (int step = 0; step < steps; step++)
        {
            int stage = step & 1;
            #pragma unroll
            for (int i = 0; i < Loader::LOADS; i++)
            {
                store(a[stage][next.aRow(i)][next.aDepth(i)], next.a[i]);
                store(b[stage][next.bColumn(i)][next.bDepth(i)], next.b[i]);
            }
            // One barrier per step: the other stage is written again only behind the next one, when all have read it.
            __syncthreads();
            if (step + 1 < steps) next.load(step + 1);
            #pragma unroll
            for (int d = 0; d < DEPTH; d += 16)
            {
                u32 left[2][4], right[2][4];
                #pragma unroll
                for (int i = 0; i < 2; i++) loadMatrices(left[i], &a[stage][row + i * 16 + (lane & 15)][d + (lane >> 4) * 8]);
                #pragma unroll
                for (int j = 0; j < 2; j++) loadMatrices(right[j], &b[stage][column + j * 16 + (lane & 7) + (lane >> 4) * 8][d + ((lane >> 3) & 1) * 8]);
                #pragma unroll
                for (int i = 0; i < 2; i++)
                    #pragma unroll
                    for (int j = 0; j < 4; j++) HalfType<T>::multiplyAdd(sums[i][j], left[i], right[j >> 1][(j & 1) * 2], right[j >> 1][(j & 1) * 2 + 1]);
            }
        }
    }
};

struct Tf32Sums : TensorSums
{
    template <class Loader> __device__ __forceinline__ void multiply(Loader& next, int steps)
    {
        // Rows of 36 words: the 32 words of a fragment lie in different banks.
        __shared__ u32 a[TILE][DEPTH + 4], b[TILE][DEPTH + 4];
        int lane = threadIdx.x & 31, row = (threadIdx.x >> 5 & 1) * 32 + (lane >> 2), column = (threadIdx.x >> 6) * 32 + (lane >> 2);
        if (steps > 0) next.load(0);
        for (int step = 0; step < steps; step++)
        {
            #pragma unroll
            for (int i = 0; i < Loader::LOADS; i++)
            {
                a[next.aRow(i)][next.aDepth(i)] = toTf32(next.a[i]);
                b[next.bColumn(i)][next.bDepth(i)] = toTf32(next.b[i]);
            }
            __syncthreads();
            if (step + 1 < steps) next.load(step + 1);
            #pragma unroll
            for (int d = 0; d < DEPTH; d += 8)
            {
                u32 left[2][4];
                #pragma unroll
                for (int i = 0; i < 2; i++)
                    #pragma unroll
                    for (int e = 0; e < 4; e++) left[i][e] = a[row + i * 16 + (e & 1) * 8][d + (lane & 3) + (e >> 1) * 4];
                #pragma unroll
                for (int j = 0; j < 4; j++)
                {
                    const u32* right = &b[column + j * 8][d + (lane & 3)];
                    #pragma unroll
                    for (int i = 0; i < 2; i++) multiplyAddTf32(sums[i][j], left[i], right[0], right[4]);
                }
            }
            __syncthreads();
        }
    }
};

// The kernels of a product, one for each of ProductPrecision: name_float and so on.
#define PRODUCT_KERNELS(KERNEL)                                                                                                    \
    KERNEL(float, FloatSums)                                                                                                       \
    KERNEL(tf32, Tf32Sums)                                                                                                         \
    KERNEL(bf16, HalfSums<bf16>)                                                                                                   \
    KERNEL(f16, HalfSums<f16>)
