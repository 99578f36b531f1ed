// Matrix products on the matrix units (mma.sync, compute capability 8.0): float32 operands are rounded to bfloat16 or TF32 on
// their way into shared memory, sums are float32. Tiles of 64 x 64 x 32, four warps with 32 x 32 each; the next tile is read
// into registers while the current one is multiplied.
#include "Common.cuh"
#include "Gemm.cuh"

#define TILE 64
#define DEPTH 32
#define THREADS 128
#define LOADS (TILE * DEPTH / THREADS)

struct Loader
{
    float a[LOADS], b[LOADS];

    // Neighbouring threads read neighbouring numbers, along whichever axis they lie.
    static __device__ __forceinline__ int depthOf(int e, bool alongDepth) { return alongDepth ? e % DEPTH : e / TILE; }
    static __device__ __forceinline__ int placeOf(int e, bool alongDepth) { return alongDepth ? e / DEPTH : e % TILE; }

    __device__ __forceinline__ void load(const Product& p, int row, int column, int depth)
    {
        #pragma unroll
        for (int i = 0; i < LOADS; i++)
        {
            int e = threadIdx.x + i * THREADS;
            a[i] = elementOfA(p, row + placeOf(e, p.aColumn == 1), depth + depthOf(e, p.aColumn == 1));
            b[i] = elementOfB(p, depth + depthOf(e, p.bRow == 1), column + placeOf(e, p.bRow == 1));
        }
    }
};

DEVICE void finishAll(const Product& p, int row, int column, const float (&sums)[2][4][4])
{
    int lane = threadIdx.x & 31;
    #pragma unroll
    for (int i = 0; i < 2; i++)
        #pragma unroll
        for (int j = 0; j < 4; j++)
            #pragma unroll
            for (int e = 0; e < 4; e++)
                finish(p, row + i * 16 + (lane >> 2) + (e >> 1) * 8, column + j * 8 + (lane & 3) * 2 + (e & 1), sums[i][j][e]);
}

extern "C" __global__ void __launch_bounds__(THREADS) gemm_bf16(Product p)
{
    // Rows of 80 bytes: the eight rows that ldmatrix reads at once lie in different banks.
    __shared__ __align__(16) bf16 a[2][TILE][DEPTH + 8], b[2][TILE][DEPTH + 8];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warpRow = (warp & 1) * 32, warpColumn = (warp >> 1) * 32;
    int row = blockIdx.x * TILE, column = blockIdx.y * TILE, steps = (p.k + DEPTH - 1) / DEPTH;
    bool aAlong = p.aColumn == 1, bAlong = p.bRow == 1;
    Loader next;
    float sums[2][4][4] = {};
    if (steps > 0) next.load(p, row, column, 0);
    for (int step = 0; step < steps; step++)
    {
        int stage = step & 1;
        #pragma unroll
        for (int i = 0; i < LOADS; i++)
        {
            int e = threadIdx.x + i * THREADS;
            a[stage][Loader::placeOf(e, aAlong)][Loader::depthOf(e, aAlong)] = toBf16(next.a[i]);
            b[stage][Loader::placeOf(e, bAlong)][Loader::depthOf(e, bAlong)] = toBf16(next.b[i]);
        }
        // One barrier per step: the other stage is written again only behind the next one, when all have read it.
        __syncthreads();
        if (step + 1 < steps) next.load(p, row, column, (step + 1) * DEPTH);
        #pragma unroll
        for (int d = 0; d < DEPTH; d += 16)
        {
            u32 left[2][4], right[2][4];
            #pragma unroll
            for (int i = 0; i < 2; i++) loadMatrices(left[i], &a[stage][warpRow + i * 16 + (lane & 15)][d + (lane >> 4) * 8]);
            #pragma unroll
            for (int j = 0; j < 2; j++) loadMatrices(right[j], &b[stage][warpColumn + j * 16 + (lane & 7) + (lane >> 4) * 8][d + ((lane >> 3) & 1) * 8]);
            #pragma unroll
            for (int i = 0; i < 2; i++)
                #pragma unroll
                for (int j = 0; j < 4; j++) multiplyAddBf16(sums[i][j], left[i], right[j >> 1][(j & 1) * 2], right[j >> 1][(j & 1) * 2 + 1]);
        }
    }
    finishAll(p, row + warpRow, column + warpColumn, sums);
}

extern "C" __global__ void __launch_bounds__(THREADS) gemm_tf32(Product p)
{
    // Rows of 36 words: the 32 words of a fragment lie in different banks.
    __shared__ u32 a[TILE][DEPTH + 4], b[TILE][DEPTH + 4];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, warpRow = (warp & 1) * 32, warpColumn = (warp >> 1) * 32;
    int row = blockIdx.x * TILE, column = blockIdx.y * TILE, steps = (p.k + DEPTH - 1) / DEPTH;
    bool aAlong = p.aColumn == 1, bAlong = p.bRow == 1;
    Loader next;
    float sums[2][4][4] = {};
    if (steps > 0) next.load(p, row, column, 0);
    for (int step = 0; step < steps; step++)
    {
        #pragma unroll
        for (int i = 0; i < LOADS; i++)
        {
            int e = threadIdx.x + i * THREADS;
            a[Loader::placeOf(e, aAlong)][Loader::depthOf(e, aAlong)] = toTf32(next.a[i]);
            b[Loader::placeOf(e, bAlong)][Loader::depthOf(e, bAlong)] = toTf32(next.b[i]);
        }
        __syncthreads();
        if (step + 1 < steps) next.load(p, row, column, (step + 1) * DEPTH);
        #pragma unroll
        for (int d = 0; d < DEPTH; d += 8)
        {
            u32 left[2][4];
            #pragma unroll
            for (int i = 0; i < 2; i++)
                #pragma unroll
                for (int e = 0; e < 4; e++) left[i][e] = a[warpRow + i * 16 + (lane >> 2) + (e & 1) * 8][d + (lane & 3) + (e >> 1) * 4];
            #pragma unroll
            for (int j = 0; j < 4; j++)
            {
                const u32* right = &b[warpColumn + j * 8 + (lane >> 2)][d + (lane & 3)];
                #pragma unroll
                for (int i = 0; i < 2; i++) multiplyAddTf32(sums[i][j], left[i], right[0], right[4]);
            }
        }
        __syncthreads();
    }
    finishAll(p, row + warpRow, column + warpColumn, sums);
}
