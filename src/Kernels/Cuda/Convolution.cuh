// Convolutions as matrix products: what they work on, and products of tiles of 64 x 64 whose operands a Loader brings.
#pragma once
#include "Activation.cuh"
#include "Common.cuh"

#define TILE 64

struct Volume
{
    int frames, height, width;
};

// A channels-last map x [batch, map, input] and a kernel with odd extents, each of its places a tap; zeros around the map.
struct Shape
{
    Volume map, kernel;
    i64 pixels;         // of all maps
    int input, output, taps;
};

// How far the pixel that a tap reads lies behind, along each axis.
DEVICE Volume tapOffset(const Volume& kernel, int tap)
{
    return Volume{
        tap / (kernel.width * kernel.height) - kernel.frames / 2, tap / kernel.width % kernel.height - kernel.height / 2, tap % kernel.width - kernel.width / 2};
}

// The same in pixels.
DEVICE i64 tapShift(const Shape& shape, int tap)
{
    Volume offset = tapOffset(shape.kernel, tap);
    return ((i64)offset.frames * shape.map.height + offset.height) * shape.map.width + offset.width;
}

// A bit for each tap that reads within the map.
DEVICE u32 tapsWithin(const Shape& shape, i64 pixel)
{
    if (pixel >= shape.pixels) return 0;
    int plane = shape.map.height * shape.map.width, place = (int)(pixel % ((i64)plane * shape.map.frames));
    int t = place / plane, y = place / shape.map.width % shape.map.height, x = place % shape.map.width;
    u32 bits = 0;
    for (int tap = 0; tap < shape.taps; tap++)
    {
        Volume offset = tapOffset(shape.kernel, tap);
        bool isWithin = t + offset.frames >= 0 && t + offset.frames < shape.map.frames && y + offset.height >= 0 && y + offset.height < shape.map.height
            && x + offset.width >= 0 && x + offset.width < shape.map.width;
        bits |= (u32)isWithin << tap;
    }
    return bits;
}

// ---- products of tiles. A Loader has the numbers a[LOADS] and b[LOADS] of the next step, which load(step) reads into registers;
// number i of a belongs to row aRow(i) and depth aDepth(i) of the tile, number i of b to column bColumn(i) and depth bDepth(i). ----

#define FLOAT_THREADS 256
#define FLOAT_DEPTH 16
#define TENSOR_THREADS 128
#define TENSOR_DEPTH 32

// float32 on the ordinary units: a thread sums 4 x 4.
struct FloatSums
{
    float sums[4][4] = {};

    template <class Loader> __device__ __forceinline__ void multiply(Loader& next, int steps)
    {
        __shared__ float a[FLOAT_DEPTH][TILE + 1], b[FLOAT_DEPTH][TILE + 1];
        int row = threadIdx.x / 16, column = threadIdx.x % 16;
        if (steps > 0) next.load(0);
        for (int step = 0; step < steps; step++)
        {
            #pragma unroll
            for (int i = 0; i < Loader::LOADS; i++)
            {
                a[Loader::aDepth(i)][Loader::aRow(i)] = next.a[i];
                b[Loader::bDepth(i)][Loader::bColumn(i)] = next.b[i];
            }
            __syncthreads();
            if (step + 1 < steps) next.load(step + 1);
            // Sums of sums: depths are in the thousands, and one long chain would round too often.
            float partial[4][4] = {};
            #pragma unroll
            for (int d = 0; d < FLOAT_DEPTH; d++)
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

    template <class Use> __device__ __forceinline__ void forEach(Use use) const
    {
        #pragma unroll
        for (int i = 0; i < 4; i++)
            #pragma unroll
            for (int j = 0; j < 4; j++) use(threadIdx.x / 16 + 16 * i, threadIdx.x % 16 + 16 * j, sums[i][j]);
    }
};

// On the matrix units, operands rounded: four warps with 32 x 32 each.
struct TensorSums
{
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

struct Bf16Sums : TensorSums
{
    template <class Loader> __device__ __forceinline__ void multiply(Loader& next, int steps)
    {
        // Rows of 80 bytes: the eight rows that ldmatrix reads at once lie in different banks.
        __shared__ __align__(16) bf16 a[2][TILE][TENSOR_DEPTH + 8], b[2][TILE][TENSOR_DEPTH + 8];
        int lane = threadIdx.x & 31, row = (threadIdx.x >> 5 & 1) * 32, column = (threadIdx.x >> 6) * 32;
        if (steps > 0) next.load(0);
        for (int step = 0; step < steps; step++)
        {
            int stage = step & 1;
            #pragma unroll
            for (int i = 0; i < Loader::LOADS; i++)
            {
                a[stage][Loader::aRow(i)][Loader::aDepth(i)] = toBf16(next.a[i]);
                b[stage][Loader::bColumn(i)][Loader::bDepth(i)] = toBf16(next.b[i]);
            }
            // One barrier per step: the other stage is written again only behind the next one, when all have read it.
            __syncthreads();
            if (step + 1 < steps) next.load(step + 1);
            #pragma unroll
            for (int d = 0; d < TENSOR_DEPTH; d += 16)
            {
                u32 left[2][4], right[2][4];
                #pragma unroll
                for (int i = 0; i < 2; i++) loadMatrices(left[i], &a[stage][row + i * 16 + (lane & 15)][d + (lane >> 4) * 8]);
                #pragma unroll
                for (int j = 0; j < 2; j++) loadMatrices(right[j], &b[stage][column + j * 16 + (lane & 7) + (lane >> 4) * 8][d + ((lane >> 3) & 1) * 8]);
                #pragma unroll
                for (int i = 0; i < 2; i++)
                    #pragma unroll
                    for (int j = 0; j < 4; j++) multiplyAddBf16(sums[i][j], left[i], right[j >> 1][(j & 1) * 2], right[j >> 1][(j & 1) * 2 + 1]);
            }
        }
    }
};

struct Tf32Sums : TensorSums
{
    template <class Loader> __device__ __forceinline__ void multiply(Loader& next, int steps)
    {
        // Rows of 36 words: the 32 words of a fragment lie in different banks.
        __shared__ u32 a[TILE][TENSOR_DEPTH + 4], b[TILE][TENSOR_DEPTH + 4];
        int lane = threadIdx.x & 31, row = (threadIdx.x >> 5 & 1) * 32 + (lane >> 2), column = (threadIdx.x >> 6) * 32 + (lane >> 2);
        if (steps > 0) next.load(0);
        for (int step = 0; step < steps; step++)
        {
            #pragma unroll
            for (int i = 0; i < Loader::LOADS; i++)
            {
                a[Loader::aRow(i)][Loader::aDepth(i)] = toTf32(next.a[i]);
                b[Loader::bColumn(i)][Loader::bDepth(i)] = toTf32(next.b[i]);
            }
            __syncthreads();
            if (step + 1 < steps) next.load(step + 1);
            #pragma unroll
            for (int d = 0; d < TENSOR_DEPTH; d += 8)
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
