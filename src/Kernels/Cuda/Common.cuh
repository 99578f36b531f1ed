// What many kernels share.
#pragma once
#include "Types.cuh"
#include "Ptx.cuh"

#define ALL_LANES 0xFFFFFFFFu

// The number of this thread in the whole grid, and how many there are: for loops over all elements of an array.
DEVICE i64 globalThread() { return (i64)blockIdx.x * blockDim.x + threadIdx.x; }
DEVICE i64 globalThreads() { return (i64)gridDim.x * blockDim.x; }

// Sums and maxima over the 32 lanes of a warp, in every lane; always added in the same order.
DEVICE float warpSum(float x)
{
    #pragma unroll
    for (int step = 16; step > 0; step >>= 1) x += __shfl_xor_sync(ALL_LANES, x, step);
    return x;
}

DEVICE float warpMax(float x)
{
    #pragma unroll
    for (int step = 16; step > 0; step >>= 1) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, step));
    return x;
}

// The sum over a block of WARPS warps, in every thread. partials: WARPS floats of shared memory, free again afterwards.
template <int WARPS> DEVICE float blockSum(float x, float* partials)
{
    x = warpSum(x);
    int warp = threadIdx.x >> 5, lane = threadIdx.x & 31;
    if (lane == 0) partials[warp] = x;
    __syncthreads();
    x = warpSum(lane < WARPS ? partials[lane] : 0.f);
    __syncthreads();
    return x;
}
