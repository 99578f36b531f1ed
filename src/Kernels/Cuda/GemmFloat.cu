// Matrix products in float32 on the ordinary units: tiles of 64 x 64, each of 256 threads sums 4 x 4.
#include "Common.cuh"
#include "Gemm.cuh"

#define TILE 64
#define DEPTH 16
#define THREADS 256
#define LOADS (TILE * DEPTH / THREADS)

extern "C" __global__ void __launch_bounds__(THREADS) gemm_float(Product p)
{
    // One more column keeps threads that read down a column in different banks.
    __shared__ float a[DEPTH][TILE + 1], b[DEPTH][TILE + 1];
    int thread = threadIdx.x, row = blockIdx.x * TILE, column = blockIdx.y * TILE;
    int myRow = thread / 16, myColumn = thread % 16;
    bool aAlongDepth = p.aColumn == 1, bAlongDepth = p.bRow == 1;
    float sums[4][4] = {};
    for (int depth = 0; depth < p.k; depth += DEPTH)
    {
        // Neighbouring threads read neighbouring numbers, along whichever axis they lie.
        #pragma unroll
        for (int i = 0; i < LOADS; i++)
        {
            int e = thread + i * THREADS;
            int d = aAlongDepth ? e % DEPTH : e / TILE, r = aAlongDepth ? e / DEPTH : e % TILE;
            a[d][r] = elementOfA(p, row + r, depth + d);
            d = bAlongDepth ? e % DEPTH : e / TILE;
            r = bAlongDepth ? e / DEPTH : e % TILE;
            b[d][r] = elementOfB(p, depth + d, column + r);
        }
        __syncthreads();
        #pragma unroll
        for (int d = 0; d < DEPTH; d++)
        {
            float left[4], right[4];
            #pragma unroll
            for (int i = 0; i < 4; i++)
            {
                left[i] = a[d][myRow + 16 * i];
                right[i] = b[d][myColumn + 16 * i];
            }
            #pragma unroll
            for (int i = 0; i < 4; i++)
                #pragma unroll
                for (int j = 0; j < 4; j++) sums[i][j] = fmaf(left[i], right[j], sums[i][j]);
        }
        __syncthreads();
    }
    #pragma unroll
    for (int i = 0; i < 4; i++)
        #pragma unroll
        for (int j = 0; j < 4; j++) finish(p, row + myRow + 16 * i, column + myColumn + 16 * j, sums[i][j]);
}
