// Dropout of single elements and of whole samples. Where there is a firstStream, in memory so that a CUDA graph can be launched with others,
// streams count from it.
#include "Common.cuh"
#include "Philox.cuh"

// y[i] = x[i] factor where number first + i of the stream is at least probability, else 0. A thread per block of four numbers.
extern "C" __global__ void __launch_bounds__(256) dropout(const float* x, float* y, i64 n, float probability, float factor, u64 seed, u64 stream, const u64* firstStream, i64 first)
{
    if (firstStream) stream += *firstStream;
    i64 block = first / 4 + globalThread(), i = 4 * block - first;
    if (i >= n) return;
    float4 numbers = philox(seed, stream, (u64)block);
    if (i >= 0 && i + 4 <= n && (((u64)(x + i) | (u64)(y + i)) & 15) == 0)
    {
        float4 values = *(const float4*)(x + i);
        *(float4*)(y + i) = make_float4(
            numbers.x < probability ? 0.f : values.x * factor, numbers.y < probability ? 0.f : values.y * factor,
            numbers.z < probability ? 0.f : values.z * factor, numbers.w < probability ? 0.f : values.w * factor);
        return;
    }
    for (int k = 0; k < 4; k++)
        if (i + k >= 0 && i + k < n) y[i + k] = component(numbers, k) < probability ? 0.f : x[i + k] * factor;
}

// The same number for all of a sample: x and y [samples, size], blockIdx.y is the sample.
extern "C" __global__ void __launch_bounds__(256) drop_path(const float* x, float* y, i64 size, float probability, float factor, u64 seed, u64 stream, const u64* firstStream, i64 first)
{
    if (firstStream) stream += *firstStream;
    u64 index = (u64)(first + blockIdx.y);
    float kept = component(philox(seed, stream, index >> 2), (int)(index & 3)) < probability ? 0.f : factor;
    x += blockIdx.y * size;
    y += blockIdx.y * size;
    for (i64 i = globalThread(); i < size; i += globalThreads()) y[i] = x[i] * kept;
}
