// The gradient of a convolution's weight: for each tap a product with input channels as rows, output channels as columns and
// pixels as depth, in parts of the pixels that are added in their order.
#include "Convolution.cuh"

// For each pixel of a map, a bit for each tap that reads within it.
extern "C" __global__ void __launch_bounds__(256) convolution_taps_within(u32* within, Shape shape)
{
    i64 i = globalThread();
    if (i < (i64)shape.map.frames * shape.map.height * shape.map.width) within[i] = tapsWithin(shape, i);
}

template <class Sums> struct WeightLoader
{
    static constexpr int THREADS = Sums::THREADS, DEPTH = Sums::DEPTH, LOADS = TILE * DEPTH / THREADS;
    float a[LOADS], b[LOADS];
    const float *x, *dy;
    const u32* within;
    const Shape& shape;
    i64 firstPixel, lastPixel, shift;
    int tap, row, column, plane;

    // Neighbouring threads read neighbouring channels.
    static __device__ __forceinline__ int aRow(int i) { return threadIdx.x % TILE; }
    static __device__ __forceinline__ int aDepth(int i) { return (threadIdx.x + i * THREADS) / TILE; }
    static __device__ __forceinline__ int bColumn(int i) { return aRow(i); }
    static __device__ __forceinline__ int bDepth(int i) { return aDepth(i); }

    __device__ __forceinline__ void load(int step)
    {
        i64 first = firstPixel + (i64)step * DEPTH;
        #pragma unroll
        for (int i = 0; i < LOADS; i++)
        {
            i64 pixel = first + aDepth(i);
            bool isPixel = pixel < lastPixel;
            a[i] = isPixel && row + aRow(i) < shape.input && (within[pixel % plane] >> tap & 1) ? x[(pixel + shift) * shape.input + row + aRow(i)] : 0.f;
            b[i] = isPixel && column + bColumn(i) < shape.output ? dy[pixel * shape.output + column + bColumn(i)] : 0.f;
        }
    }
};

// partials [part][tap][input][output]; blockIdx = (tiles of input x output, tap, part).
template <class Sums> DEVICE void multiplyPixels(const float* x, const float* dy, const u32* within, float* partials, i64 pixelsPerPart, const Shape& shape)
{
    int tilesAcross = (shape.output + TILE - 1) / TILE, row = blockIdx.x / tilesAcross * TILE, column = blockIdx.x % tilesAcross * TILE, tap = blockIdx.y;
    i64 first = blockIdx.z * pixelsPerPart, last = min(shape.pixels, first + pixelsPerPart);
    WeightLoader<Sums> loader{{}, {}, x, dy, within, shape, first, last, tapShift(shape, tap), tap, row, column, shape.map.frames * shape.map.height * shape.map.width};
    Sums sums;
    sums.multiply(loader, (int)((last - first + Sums::DEPTH - 1) / Sums::DEPTH));
    partials += ((i64)blockIdx.z * shape.taps + tap) * shape.input * shape.output;
    sums.forEach([&](int i, int j, float sum)
    {
        if (row + i < shape.input && column + j < shape.output) partials[(i64)(row + i) * shape.output + column + j] = sum;
    });
}

#define WEIGHT_KERNEL(name, Sums)                                                                                                  \
    extern "C" __global__ void __launch_bounds__(Sums::THREADS) convolution_weights_##name(                                        \
        const float* __restrict__ x, const float* __restrict__ dy, const u32* __restrict__ within, float* partials, i64 pixelsPerPart, Shape shape) \
    {                                                                                                                              \
        multiplyPixels<Sums>(x, dy, within, partials, pixelsPerPart, shape);                                                       \
    }

PRODUCT_KERNELS(WEIGHT_KERNEL)

// Adds up the parts: dWeight [output, input, taps] as PyTorch has it.
extern "C" __global__ void __launch_bounds__(256) convolution_weights_finish(const float* __restrict__ partials, int parts, int output, int input, int taps, float* dWeight)
{
    i64 i = globalThread(), n = (i64)output * input * taps;
    if (i >= n) return;
    // Threads follow the partial sums, which are read more often than the result is written.
    int o = (int)(i % output), c = (int)(i / output % input), tap = (int)(i / output / input);
    float sum = 0.f;
    for (int part = 0; part < parts; part++) sum += partials[part * n + i];
    dWeight[((i64)o * input + c) * taps + tap] = sum;
}
