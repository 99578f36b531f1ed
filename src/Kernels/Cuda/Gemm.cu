// Matrix products of any strides: in float32 on the ordinary units, or with operands rounded on the matrix units.
#include "Gemm.cuh"
#include "GemmTile.cuh"

template <class Sums> struct MatrixLoader
{
    static constexpr int LOADS = TILE * Sums::DEPTH / Sums::THREADS;
    float a[LOADS], b[LOADS];
    const Product& product;
    int firstRow, firstColumn;
    bool aAlongDepth, bAlongDepth;

    // Neighbouring threads read neighbouring numbers, along whichever axis they lie.
    static __device__ __forceinline__ int depthOf(int i, bool alongDepth) { return alongDepth ? (threadIdx.x + i * Sums::THREADS) % Sums::DEPTH : (threadIdx.x + i * Sums::THREADS) / TILE; }
    static __device__ __forceinline__ int placeOf(int i, bool alongDepth) { return alongDepth ? (threadIdx.x + i * Sums::THREADS) / Sums::DEPTH : (threadIdx.x + i * Sums::THREADS) % TILE; }

    __device__ __forceinline__ int aRow(int i) const { return placeOf(i, aAlongDepth); }
    __device__ __forceinline__ int aDepth(int i) const { return depthOf(i, aAlongDepth); }
    __device__ __forceinline__ int bColumn(int i) const { return placeOf(i, bAlongDepth); }
    __device__ __forceinline__ int bDepth(int i) const { return depthOf(i, bAlongDepth); }

    __device__ __forceinline__ void load(int step)
    {
        int depth = step * Sums::DEPTH;
        #pragma unroll
        for (int i = 0; i < LOADS; i++)
        {
            a[i] = elementOfA(product, firstRow + aRow(i), depth + aDepth(i));
            b[i] = elementOfB(product, depth + bDepth(i), firstColumn + bColumn(i));
        }
    }
};

template <class Sums> DEVICE void multiply(const Product& product)
{
    int firstRow = blockIdx.x * TILE, firstColumn = blockIdx.y * TILE;
    MatrixLoader<Sums> loader{{}, {}, product, firstRow, firstColumn, product.aColumn == 1, product.bRow == 1};
    Sums sums;
    sums.multiply(loader, (product.k + Sums::DEPTH - 1) / Sums::DEPTH);
    sums.forEach([&](int row, int column, float sum) { finish(product, firstRow + row, firstColumn + column, sum); });
}

#define GEMM_KERNEL(name, Sums) \
    extern "C" __global__ void __launch_bounds__(Sums::THREADS) gemm_##name(Product product) { multiply<Sums>(product); }

PRODUCT_KERNELS(GEMM_KERNEL)
