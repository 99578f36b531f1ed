// The few operations that every other one is defined by, on arrays of any strides; written to be right, not to be fast.
#include "Common.cuh"
#include "Layout.cuh"

#define MAP_KERNEL(name, value)                                                                                      \
    extern "C" __global__ void __launch_bounds__(256) map_##name(const float* input, Layout layout, float* y, i64 n) \
    {                                                                                                                \
        for (i64 i = globalThread(); i < n; i += globalThreads())                                                    \
        {                                                                                                            \
            float x = input[offsetOf(layout, i)];                                                                    \
            y[i] = value;                                                                                            \
        }                                                                                                            \
    }

#define ZIP_KERNEL(name, value)                                                                                                                      \
    extern "C" __global__ void __launch_bounds__(256) zip_##name(const float* left, Layout leftLayout, const float* right, Layout rightLayout, float* y, i64 n) \
    {                                                                                                                                                \
        for (i64 i = globalThread(); i < n; i += globalThreads())                                                                                    \
        {                                                                                                                                            \
            float a = left[offsetOf(leftLayout, i)], b = right[offsetOf(rightLayout, i)];                                                            \
            y[i] = value;                                                                                                                            \
        }                                                                                                                                            \
    }

// From x to y, both of any strides.
#define SCATTER_KERNEL(name, type)                                                                                                       \
    extern "C" __global__ void __launch_bounds__(256) scatter_##name(const type* x, Layout layout, type* y, Layout target, i64 n)        \
    {                                                                                                                                    \
        for (i64 i = globalThread(); i < n; i += globalThreads()) y[offsetOf(target, i)] = x[offsetOf(layout, i)];                       \
    }

MAP_KERNEL(exp, expf(x))
MAP_KERNEL(log, logf(x))
MAP_KERNEL(sqrt, sqrtf(x))
MAP_KERNEL(erf, erff(x))
MAP_KERNEL(positive, x > 0.f ? 1.f : 0.f)

ZIP_KERNEL(add, a + b)
ZIP_KERNEL(subtract, a - b)
ZIP_KERNEL(multiply, a * b)
ZIP_KERNEL(divide, a / b)

SCATTER_KERNEL(1, u8)
SCATTER_KERNEL(2, u16)
SCATTER_KERNEL(4, u32)
SCATTER_KERNEL(8, u64)

// y[i] = the sum of x over the axes of summed, at the place i of the axes of kept; y is dense. A warp per element of y.
extern "C" __global__ void __launch_bounds__(256) sum_by_warp(const float* x, Layout kept, Layout summed, float* y, i64 outputs, i64 terms)
{
    i64 output = globalThread() >> 5;
    if (output >= outputs) return;
    x += offsetOf(kept, output);
    float sum = 0.f;
    for (i64 i = threadIdx.x & 31; i < terms; i += 32) sum += x[offsetOf(summed, i)];
    sum = warpSum(sum);
    if ((threadIdx.x & 31) == 0) y[output] = sum;
}

// The same, a block per element of y.
extern "C" __global__ void __launch_bounds__(256) sum_by_block(const float* x, Layout kept, Layout summed, float* y, i64 terms)
{
    __shared__ float partials[8];
    x += offsetOf(kept, blockIdx.x);
    float sum = 0.f;
    for (i64 i = threadIdx.x; i < terms; i += 256) sum += x[offsetOf(summed, i)];
    sum = blockSum<8>(sum, partials);
    if (threadIdx.x == 0) y[blockIdx.x] = sum;
}

// y[row] = the largest number of a row of the dense x. A warp per row.
extern "C" __global__ void __launch_bounds__(256) max_rows(const float* x, i64 rows, i64 columns, float* y)
{
    i64 row = globalThread() >> 5;
    if (row >= rows) return;
    float largest = -__int_as_float(0x7F800000);
    for (i64 i = threadIdx.x & 31; i < columns; i += 32) largest = fmaxf(largest, x[row * columns + i]);
    largest = warpMax(largest);
    if ((threadIdx.x & 31) == 0) y[row] = largest;
}
