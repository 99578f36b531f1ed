// Many small matrix products at once: tiles of 32 x 32, each of 256 threads sums 2 x 2.
#include "Common.cuh"
#include "Layout.cuh"

#define TILE 32
#define THREADS 256

// y[i] = a[i] b[i] with a[m, k], b[k, n] of any strides and a dense y; the layouts give where matrix i of a and of b lies.
// blockIdx = (matrix, row tile, column tile).
extern "C" __global__ void __launch_bounds__(THREADS) matmul_batched(
    const float* __restrict__ a, Layout aAt, i64 aRow, i64 aColumn, const float* __restrict__ b, Layout bAt, i64 bRow, i64 bColumn, float* y, int m, int n, int k)
{
    __shared__ float left[TILE][TILE + 1], right[TILE][TILE + 1];
    int x = threadIdx.x % 16, z = threadIdx.x / 16, row = blockIdx.y * TILE, column = blockIdx.z * TILE;
    a += offsetOf(aAt, blockIdx.x);
    b += offsetOf(bAt, blockIdx.x);
    bool aAlongDepth = aColumn == 1, bAlongDepth = bRow == 1;
    float sums[2][2] = {};
    for (int depth = 0; depth < k; depth += TILE)
    {
        for (int e = threadIdx.x; e < TILE * TILE; e += THREADS)
        {
            // Neighbouring threads read neighbouring numbers, along whichever axis they lie.
            int d = aAlongDepth ? e % TILE : e / TILE, i = aAlongDepth ? e / TILE : e % TILE;
            left[i][d] = row + i < m && depth + d < k ? a[(row + i) * aRow + (depth + d) * aColumn] : 0.f;
            d = bAlongDepth ? e % TILE : e / TILE;
            i = bAlongDepth ? e / TILE : e % TILE;
            right[d][i] = column + i < n && depth + d < k ? b[(depth + d) * bRow + (column + i) * bColumn] : 0.f;
        }
        __syncthreads();
        #pragma unroll 8
        for (int d = 0; d < TILE; d++)
            #pragma unroll
            for (int i = 0; i < 2; i++)
                #pragma unroll
                for (int j = 0; j < 2; j++) sums[i][j] = fmaf(left[z + 16 * i][d], right[d][x + 16 * j], sums[i][j]);
        __syncthreads();
    }
    y += (i64)blockIdx.x * m * n;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            if (row + z + 16 * i < m && column + x + 16 * j < n) y[(i64)(row + z + 16 * i) * n + column + x + 16 * j] = sums[i][j];
}
