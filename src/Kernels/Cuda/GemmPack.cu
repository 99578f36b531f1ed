// The right operand of products on Hopper GPUs, from float32 of any strides: bfloat16 or float16, row by row of B^T, each row filled up with zeros.
// The depth in order, or in the one in which roundFragments (GemmHopper.cuh) reads a float32 left operand.
#include "Common.cuh"
#include "HalfType.cuh"

#ifndef PRODUCT_TYPE
#define PRODUCT_TYPE bf16
#endif

#define TILE 32
#define ROWS 8

// The column of 32 whose number stands at a place: product s of two takes 8 t + 4 s + e in slots 2 t + e and 2 t + 8 + e - 2.
DEVICE int columnAt(int place)
{
    int slot = place & 15, e = (slot & 1) + (slot >> 3) * 2;
    return (slot & 7) / 2 * 8 + (place >> 4) * 4 + e;
}

// Element (depth i, column j) of tap t lies at i row + j column + t tap; a block makes 32 x 32 numbers of packed[columns][taps][32 gridDim.x].
extern "C" __global__ void __launch_bounds__(TILE * ROWS) gemm_pack(const float* __restrict__ b, i64 bRow, i64 bColumn, i64 bTap, int depth, int columns, int isReordered, PRODUCT_TYPE* packed)
{
    __shared__ float tile[TILE][TILE + 1];
    int firstDepth = blockIdx.x * TILE, firstColumn = blockIdx.y * TILE, lane = threadIdx.x % TILE;
    bool isAlongDepth = bRow < bColumn;
    b += blockIdx.z * bTap;
    for (int i = threadIdx.x / TILE; i < TILE; i += ROWS)
    {
        // Neighbouring threads read neighbouring numbers, or those that lie nearest.
        int d = isAlongDepth ? lane : i, c = isAlongDepth ? i : lane;
        bool isInside = firstDepth + d < depth && firstColumn + c < columns;
        tile[c][d] = isInside ? b[(firstDepth + d) * bRow + (firstColumn + c) * bColumn] : 0.f;
    }
    __syncthreads();
    for (int c = threadIdx.x / TILE; c < TILE && firstColumn + c < columns; c += ROWS)
        store(packed[((i64)(firstColumn + c) * gridDim.z + blockIdx.z) * gridDim.x * TILE + firstDepth + lane], tile[c][isReordered ? columnAt(lane) : lane]);
}
