// Sums of several doubles over a block, for losses and norms.
#pragma once
#include "Common.cuh"

// Replaces each of N numbers by its sum over a block of WARPS warps, in every thread; always added in the same order.
// partials: shared memory, free again afterwards.
template <int WARPS, int N> DEVICE void blockSums(double (&values)[N], double (*partials)[N])
{
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    #pragma unroll
    for (int i = 0; i < N; i++)
    {
        #pragma unroll
        for (int step = 16; step > 0; step >>= 1) values[i] += __shfl_xor_sync(ALL_LANES, values[i], step);
        if (lane == 0) partials[warp][i] = values[i];
    }
    __syncthreads();
    #pragma unroll
    for (int i = 0; i < N; i++)
    {
        values[i] = 0;
        for (int w = 0; w < WARPS; w++) values[i] += partials[w][i];
    }
    __syncthreads();
}
