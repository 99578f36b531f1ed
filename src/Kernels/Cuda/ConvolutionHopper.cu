// Convolutions with stride 1 of channels-last maps on Hopper GPUs, as matrix products: a row of the product is a pixel, a tile of rows a box of
// 128 pixels of one frame, and the left operand of a tap is that box moved by the tap: the tensor memory accelerator copies it straight from the map,
// with zeros beyond its edges. Maps are float32 and rounded between shared memory and the matrix units, as GemmHopper.cu says why.
#include "GemmHopper.cuh"

// Compiled per case (ConvolutionHopper.cs).
#ifndef PRODUCT_TYPE
#define PRODUCT_TYPE bf16
#define TILE_COLUMNS 128
#define FINAL_ACTIVATION Relu
#endif

// What is convolved: frames of maps, the kernel, and the box of pixels of a tile, together 128.
struct HopperShape
{
    int frames, height, width;
    int kernelFrames, kernelHeight, kernelWidth;
    int boxHeight, boxWidth;
    int batch;
};

// The box of a tile: boxes of a frame row by row, frame by frame, map by map; columns of the product innermost.
struct Box
{
    int x, y, frame, map, column;

    __device__ __forceinline__ Box(const HopperShape& shape, int columns, int tile)
    {
        int across = (shape.width + shape.boxWidth - 1) / shape.boxWidth, down = (shape.height + shape.boxHeight - 1) / shape.boxHeight;
        column = tile % columns * TILE_COLUMNS;
        int box = tile / columns;
        x = box % across * shape.boxWidth;
        y = box / across % down * shape.boxHeight;
        frame = box / across / down % shape.frames;
        map = box / across / down / shape.frames;
    }
};

// x [map, frame, row, column, channel]; weight [output][tap, input channels filled up to whole stages], packed by gemm_pack.
// p.c [pixels, output]; p.k the filled up input channels.
extern "C" __global__ void __launch_bounds__(HOPPER_THREADS, 1) convolution_hopper(const __grid_constant__ TensorMap x, const __grid_constant__ TensorMap weight, const __grid_constant__ Product p, const __grid_constant__ HopperShape shape)
{
    using S = Stage<PRODUCT_TYPE, TILE_COLUMNS, true>;
    int columns = (p.n + TILE_COLUMNS - 1) / TILE_COLUMNS, stepsPerTap = p.k / S::DEPTH;
    int boxes = (shape.width + shape.boxWidth - 1) / shape.boxWidth * ((shape.height + shape.boxHeight - 1) / shape.boxHeight) * shape.frames * shape.batch;
    auto copy = [&](int tile, u8* left, u8* right, int step, u64* barrier)
    {
        Box box(shape, columns, tile);
        int tap = step / stepsPerTap, channel = (step - tap * stepsPerTap) * S::DEPTH;
        int column = box.x + tap % shape.kernelWidth - shape.kernelWidth / 2;
        int row = box.y + tap / shape.kernelWidth % shape.kernelHeight - shape.kernelHeight / 2;
        int frame = box.frame + tap / (shape.kernelWidth * shape.kernelHeight) - shape.kernelFrames / 2;
        #pragma unroll
        for (int i = 0; i < S::BOXES; i++) copyTile(left + i * S::BOX_BYTES, x, channel + i * S::BOX, column, row, frame, box.map, barrier);
        copyTile(right, weight, step * S::DEPTH, box.column, barrier);
    };
    auto rowOf = [&](int tile, int row) -> i64
    {
        Box box(shape, columns, tile);
        int i = box.y + row / shape.boxWidth, j = box.x + row % shape.boxWidth;
        return i < shape.height && j < shape.width ? (((i64)box.map * shape.frames + box.frame) * shape.height + i) * shape.width + j : -1;
    };
    auto columnOf = [&](int tile) { return Box(shape, columns, tile).column; };
    multiplyAll<PRODUCT_TYPE, TILE_COLUMNS, true, FINAL_ACTIVATION>(p, boxes * columns, shape.kernelFrames * shape.kernelHeight * shape.kernelWidth * stepsPerTap, copy, rowOf, columnOf);
}
