// Convolutions with stride 1 of channels-last maps, forward: rows of the product are pixels, columns output channels, the depth
// is (tap, input channel). The gradient of the input is the same with the taps turned round and the channels exchanged.
#include "Convolution.cuh"
#include "Gemm.cuh"

struct Epilogue
{
    float* y;               // [pixels, output]
    const float* bias;      // one number per output channel, or null
    float* preActivation;   // receives the sum with its bias, or null
    int activation;
};

// Each pixel of a tile: the taps that lie within the map.
struct PixelTile
{
    u32 within[TILE];
};

template <class Sums> struct PixelLoader
{
    static constexpr int THREADS = Sums::THREADS, DEPTH = Sums::DEPTH, LOADS = TILE * DEPTH / THREADS;
    float a[LOADS], b[LOADS];
    const float *x, *weight;    // weight [tap, input, output]
    const u32* within;
    const Shape& shape;
    i64 firstPixel;
    int firstColumn, stepsPerTap;

    // Neighbouring threads read neighbouring channels.
    static __device__ __forceinline__ int aRow(int i) { return (threadIdx.x + i * THREADS) / DEPTH; }
    static __device__ __forceinline__ int aDepth(int i) { return threadIdx.x % DEPTH; }
    static __device__ __forceinline__ int bColumn(int i) { return threadIdx.x % TILE; }
    static __device__ __forceinline__ int bDepth(int i) { return (threadIdx.x + i * THREADS) / TILE; }

    __device__ __forceinline__ void load(int step)
    {
        int tap = step / stepsPerTap, depth = (step - tap * stepsPerTap) * DEPTH, c = depth + aDepth(0), column = firstColumn + bColumn(0);
        const float* pixels = x + (firstPixel + tapShift(shape, tap)) * shape.input + c;
        const float* channels = weight + ((i64)tap * shape.input + depth) * shape.output + column;
        #pragma unroll
        for (int i = 0; i < LOADS; i++)
        {
            a[i] = c < shape.input && (within[aRow(i)] >> tap & 1) ? pixels[(i64)aRow(i) * shape.input] : 0.f;
            b[i] = column < shape.output && depth + bDepth(i) < shape.input ? channels[(i64)bDepth(i) * shape.output] : 0.f;
        }
    }
};

template <class Sums> DEVICE void convolve(const float* x, const float* weight, const Epilogue& epilogue, const Shape& shape)
{
    __shared__ PixelTile tile;
    i64 firstPixel = (i64)blockIdx.x * TILE;
    int firstColumn = blockIdx.y * TILE, stepsPerTap = (shape.input + Sums::DEPTH - 1) / Sums::DEPTH;
    for (int i = threadIdx.x; i < TILE; i += Sums::THREADS) tile.within[i] = tapsWithin(shape, firstPixel + i);
    __syncthreads();
    PixelLoader<Sums> loader{{}, {}, x, weight, tile.within, shape, firstPixel, firstColumn, stepsPerTap};
    Sums sums;
    sums.multiply(loader, shape.taps * stepsPerTap);
    sums.forEach([&](int row, int column, float sum)
    {
        i64 pixel = firstPixel + row;
        column += firstColumn;
        if (pixel >= shape.pixels || column >= shape.output) return;
        if (epilogue.bias) sum += epilogue.bias[column];
        if (epilogue.preActivation) epilogue.preActivation[pixel * shape.output + column] = sum;
        epilogue.y[pixel * shape.output + column] = activateAs(epilogue.activation, sum);
    });
}

#define CONVOLUTION_KERNEL(name, Sums)                                                                                             \
    extern "C" __global__ void __launch_bounds__(Sums::THREADS) convolution_##name(                                                \
        const float* __restrict__ x, const float* __restrict__ weight, Epilogue epilogue, Shape shape)                             \
    {                                                                                                                              \
        convolve<Sums>(x, weight, epilogue, shape);                                                                                \
    }

PRODUCT_KERNELS(CONVOLUTION_KERNEL)

// PyTorch's weight [output, input, taps] as [tap, input, output].
extern "C" __global__ void __launch_bounds__(256) convolution_pack(const float* __restrict__ weight, int output, int input, int taps, float* packed)
{
    i64 i = globalThread();
    if (i >= (i64)output * input * taps) return;
    int o = (int)(i % output), c = (int)(i / output % input), tap = (int)(i / output / input);
    packed[i] = weight[((i64)o * input + c) * taps + tap];
}

// The same for the gradient of the input: [taps - 1 - tap, output, input].
extern "C" __global__ void __launch_bounds__(256) convolution_pack_turned(const float* __restrict__ weight, int output, int input, int taps, float* packed)
{
    i64 i = globalThread();
    if (i >= (i64)output * input * taps) return;
    int c = (int)(i % input), o = (int)(i / input % output), tap = taps - 1 - (int)(i / input / output);
    packed[i] = weight[((i64)o * input + c) * taps + tap];
}
