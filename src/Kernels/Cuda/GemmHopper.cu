// Matrix products on Hopper GPUs, C = activation(A B + bias) + residual (+ old C), with C as Gemm.cuh says and B^T stored row by row.
// A either has the type of the products, or is float32 and rounded between shared memory and the matrix units. Activations lie in memory as float32,
// and rounding them there needs no pass of its own: of Swin's products most are bound by memory, where such a pass would read and write
// half as much again, and with one picture a launch more costs about as much as the product.
#include "Gemm.cuh"
#include "GemmHopper.cuh"

// Compiled per case (GemmHopper.cs): the type of the products, columns of a tile, whether A is float32 and rounded, the activation.
#ifndef PRODUCT_TYPE
#define PRODUCT_TYPE bf16
#define TILE_COLUMNS 128
#define IS_ROUNDED true
#define FINAL_ACTIVATION Gelu
#endif

// Rows of tiles that are worked on together, so that what blocks read at the same time is nearly square and stays in the second cache.
#define ROWS_TOGETHER 16

struct Tiles
{
    int rows, columns;

    __device__ __forceinline__ explicit Tiles(const Product& p) : rows((p.m + TILE_ROWS - 1) / TILE_ROWS), columns((p.n + TILE_COLUMNS - 1) / TILE_COLUMNS) {}
    __device__ __forceinline__ int count() const { return rows * columns; }

    __device__ __forceinline__ void find(int tile, int& row, int& column) const
    {
        int first = tile / (ROWS_TOGETHER * columns) * ROWS_TOGETHER, together = min(ROWS_TOGETHER, rows - first), within = tile - first * columns;
        row = (first + within % together) * TILE_ROWS;
        column = within / together * TILE_COLUMNS;
    }
};

// Finishes two neighbouring elements of C, of which both or neither lie within.
DEVICE void finishPair(const Product& p, int i, int j, float2 sum)
{
    if (i >= p.m || j >= p.n) return;
    if (p.bias) sum = make_float2(sum.x + p.bias[j], sum.y + p.bias[j + 1]);
    if (p.preActivation) *(float2*)(p.preActivation + i * p.cRow + j) = sum;
    sum = make_float2(activate<FINAL_ACTIVATION>(sum.x), activate<FINAL_ACTIVATION>(sum.y));
    float2* c = (float2*)(p.c + i * p.cRow + j);
    if (p.residual)
    {
        float2 residual = *(const float2*)(p.residual + i * p.residualRow + j);
        sum = make_float2(sum.x + residual.x, sum.y + residual.y);
    }
    if (p.accumulate) sum = make_float2(c->x + sum.x, c->y + sum.y);
    *c = sum;
}

extern "C" __global__ void __launch_bounds__(HOPPER_THREADS, 1) gemm_hopper(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, const __grid_constant__ Product p)
{
    using S = Stage<PRODUCT_TYPE, TILE_COLUMNS, IS_ROUNDED>;
    extern __shared__ __align__(1024) u8 shared[];
    Ring<S> ring(shared);
    ring.prepare();
    Tiles tiles(p);
    int steps = (p.k + S::DEPTH - 1) / S::DEPTH, row, column;
    Place<S::COUNT> at;
    if (threadIdx.x < GROUP_THREADS)
    {
        giveRegistersUpTo<COPYING_REGISTERS>();
        if (threadIdx.x != 0) return;
        for (int tile = blockIdx.x; tile < tiles.count(); tile += gridDim.x)
        {
            tiles.find(tile, row, column);
            fill(ring, at, steps, [&](u8* left, u8* right, int step, u64* barrier)
            {
                #pragma unroll
                for (int i = 0; i < S::BOXES; i++) copyTile(left + i * S::BOX_BYTES, a, step * S::DEPTH + i * S::BOX, row, barrier);
                copyTile(right, b, step * S::DEPTH, column, barrier);
            });
        }
    }
    else
    {
        takeRegistersUpTo<MULTIPLYING_REGISTERS>();
        int group = threadIdx.x / GROUP_THREADS - 1, lane = threadIdx.x & 31, myRow = group * GROUP_ROWS + (threadIdx.x >> 5 & 3) * 16 + (lane >> 2);
        float sums[TILE_COLUMNS / 2];
        for (int tile = blockIdx.x; tile < tiles.count(); tile += gridDim.x)
        {
            tiles.find(tile, row, column);
            multiplyTile<PRODUCT_TYPE, TILE_COLUMNS, IS_ROUNDED>(ring, at, steps, group, sums);
            #pragma unroll
            for (int j = 0; j < TILE_COLUMNS / 8; j++)
                #pragma unroll
                for (int half = 0; half < 2; half++)
                    finishPair(p, row + myRow + half * 8, column + j * 8 + (lane & 3) * 2, make_float2(sums[j * 4 + half * 2], sums[j * 4 + half * 2 + 1]));
        }
    }
}
