// Matrix products on Hopper GPUs, C = activation(A B + bias) + residual (+ old C), with C as Gemm.cuh says and B^T stored row by row.
// A either has the type of the products, or is float32 and rounded between shared memory and the matrix units. Most activations lie in memory as
// float32, and rounding them there needs no pass of its own: of Swin's products most are bound by memory, where such a pass would read and write
// half as much again, and with one picture a launch more costs about as much as the product. The price is in large products: a stage of A is
// twice as long, 64 instead of 48 KB of each 128 x 256 x 64 come from the second cache; where A is rounded already it is read as it is.
// TF32 would spare the weights' rounding too, at half the rate of the matrix units; it is what --precision tf32 takes.
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

    // The first of the rows of tiles that this one is worked on with, and how many they are.
    __device__ __forceinline__ int first(int tile) const { return tile / (ROWS_TOGETHER * columns) * ROWS_TOGETHER; }
    __device__ __forceinline__ int together(int tile) const { return min(ROWS_TOGETHER, rows - first(tile)); }

    __device__ __forceinline__ int row(int tile) const { return (first(tile) + (tile - first(tile) * columns) % together(tile)) * TILE_ROWS; }
    __device__ __forceinline__ int column(int tile) const { return (tile - first(tile) * columns) / together(tile) * TILE_COLUMNS; }
};

extern "C" __global__ void __launch_bounds__(HOPPER_THREADS, 1) gemm_hopper(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b, const __grid_constant__ Product p)
{
    using S = Stage<PRODUCT_TYPE, TILE_COLUMNS, IS_ROUNDED>;
    Tiles tiles(p);
    auto copy = [&](int tile, u8* left, u8* right, int step, u64* barrier)
    {
        #pragma unroll
        for (int i = 0; i < S::BOXES; i++) copyTile(left + i * S::BOX_BYTES, a, step * S::DEPTH + i * S::BOX, tiles.row(tile), barrier);
        copyTile(right, b, step * S::DEPTH, tiles.column(tile), barrier);
    };
    auto rowOf = [&](int tile, int row)
    {
        int i = tiles.row(tile) + row;
        return i < p.m ? i : -1;
    };
    auto columnOf = [&](int tile) { return tiles.column(tile); };
    multiplyAll<PRODUCT_TYPE, TILE_COLUMNS, IS_ROUNDED, FINAL_ACTIVATION>(p, tiles.rows * tiles.columns, (p.k + S::DEPTH - 1) / S::DEPTH, copy, rowOf, columnOf);
}
