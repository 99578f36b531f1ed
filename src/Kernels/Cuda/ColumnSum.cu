// Sums over the rows of a matrix, in two steps with a fixed order: partial sums of chunks of rows, then of the chunks.
#include "Common.cuh"

#define WARPS 8

// A block per 32 columns and chunk; partials [chunk][columns].
extern "C" __global__ void __launch_bounds__(WARPS * 32) column_sum_chunks(const float* __restrict__ x, i64 rows, int columns, int rowsPerChunk, float* partials)
{
    __shared__ float sums[WARPS][33];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, column = blockIdx.x * 32 + lane;
    i64 first = (i64)blockIdx.y * rowsPerChunk, last = min(rows, first + rowsPerChunk);
    float sum = 0.f;
    if (column < columns)
        for (i64 row = first + warp; row < last; row += WARPS) sum += x[row * columns + column];
    sums[warp][lane] = sum;
    __syncthreads();
    if (warp != 0 || column >= columns) return;
    sum = 0.f;
    for (int w = 0; w < WARPS; w++) sum += sums[w][lane];
    partials[(i64)blockIdx.y * columns + column] = sum;
}

// Adds up the chunks in their order, a thread per column.
extern "C" __global__ void __launch_bounds__(256) column_sum_finish(const float* __restrict__ partials, int chunks, int columns, float* y)
{
    int column = (int)globalThread();
    if (column >= columns) return;
    float sum = 0.f;
    for (int chunk = 0; chunk < chunks; chunk++) sum += partials[(i64)chunk * columns + column];
    y[column] = sum;
}
