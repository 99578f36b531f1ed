// The main loop of products on Hopper GPUs: one warp of a block has the tensor memory accelerator fill a ring of stages in shared memory,
// two warp groups multiply them (wgmma), each 64 of the block's 128 rows. Blocks stay and take tile after tile, so that
// stages of the next tile arrive while sums of the last are finished and stored.
#pragma once
#include "Gemm.cuh"
#include "HalfType.cuh"
#include "PtxHopper.cuh"

#define TILE_ROWS 128
#define GROUP_ROWS 64
#define GROUP_THREADS 128
#define HOPPER_THREADS 384
#define HOPPER_WARPS 8
#define ROW_BYTES 128
#define MOST_STAGES 6
#define MOST_SHARED 232448
// The 65536 registers of a multiprocessor: 168 per thread when the block starts, then few for those that copy.
#define COPYING_REGISTERS 40
#define MULTIPLYING_REGISTERS 232

// What a stage holds: 128 rows and COLUMNS columns, 128 bytes of depth of T each; float32 rows that are rounded on their way
// from shared memory to the matrix units are twice as long and lie as boxes of 128 bytes one behind the other.
template <class T, int COLUMNS, bool ROUNDED> struct Stage
{
    static constexpr int DEPTH = ROW_BYTES / sizeof(T);
    static constexpr int BOX = ROW_BYTES / (ROUNDED ? sizeof(float) : sizeof(T)), BOXES = DEPTH / BOX;
    static constexpr int BOX_BYTES = TILE_ROWS * ROW_BYTES, LEFT_BYTES = BOXES * BOX_BYTES;
    static constexpr int BYTES = LEFT_BYTES + COLUMNS * ROW_BYTES;
    static constexpr int FITTING = (MOST_SHARED - 1024) / BYTES, COUNT = FITTING < MOST_STAGES ? FITTING : MOST_STAGES;
    // Fragments in registers are free again only when their products have ended.
    static constexpr int PRODUCTS_UNDER_WAY = ROUNDED ? 0 : 1;
};

// Where in the ring a thread is; both sides walk it in the same order.
template <int STAGES> struct Place
{
    int stage = 0;
    u32 parity = 0;

    __device__ __forceinline__ void advance()
    {
        if (++stage < STAGES) return;
        stage = 0;
        parity ^= 1;
    }
};

template <class S> struct Ring
{
    u8* stages;
    u64 *full, *empty;

    __device__ __forceinline__ explicit Ring(u8* shared) : stages(shared), full((u64*)(shared + S::COUNT * S::BYTES)), empty(full + S::COUNT) {}

    // By all threads, once.
    __device__ __forceinline__ void prepare()
    {
        if (threadIdx.x == 0)
        {
            for (int i = 0; i < S::COUNT; i++)
            {
                initBarrier(&full[i], 1);
                initBarrier(&empty[i], HOPPER_WARPS);
            }
            publishBarriers();
        }
        __syncthreads();
    }

    __device__ __forceinline__ u8* left(int stage) const { return stages + stage * S::BYTES; }
    __device__ __forceinline__ u8* right(int stage) const { return left(stage) + S::LEFT_BYTES; }
};

// Fills the ring for one tile, by one thread. copy(stage's left part, right part, step, barrier) starts the copies of a step.
template <class S, class Copy> DEVICE void fill(const Ring<S>& ring, Place<S::COUNT>& at, int steps, const Copy& copy)
{
    for (int step = 0; step < steps; step++)
    {
        waitForPhase(&ring.empty[at.stage], at.parity ^ 1);
        arriveExpecting(&ring.full[at.stage], S::BYTES);
        copy(ring.left(at.stage), ring.right(at.stage), step, &ring.full[at.stage]);
        at.advance();
    }
}

// Fragments of 32 columns of a float32 box for two products: lane l reads columns 8 (l % 4) to 8 (l % 4) + 7, so that all eight lanes that read at once
// are in different banks. A product may take its depth in any order, in which GemmPack.cu has put the right operand.
template <class T> DEVICE void roundFragments(u32 (&first)[4], u32 (&second)[4], const u8* box, int row)
{
    int lane = threadIdx.x & 31;
    const u8* line = box + row * ROW_BYTES;
    int swizzle = row & 7, place = (lane & 3) * 2;
    #pragma unroll
    for (int half = 0; half < 2; half++)
    {
        float4 x = *(const float4*)(line + half * 8 * ROW_BYTES + ((place ^ swizzle) << 4));
        float4 y = *(const float4*)(line + half * 8 * ROW_BYTES + (((place + 1) ^ swizzle) << 4));
        first[half] = HalfType<T>::pack(x.x, x.y);
        first[half + 2] = HalfType<T>::pack(x.z, x.w);
        second[half] = HalfType<T>::pack(y.x, y.y);
        second[half + 2] = HalfType<T>::pack(y.z, y.w);
    }
}

// The products of one stage, started but not waited for; group is the warp group's number, 0 or 1. fragments: unused unless ROUNDED.
template <class T, int COLUMNS, bool ROUNDED> DEVICE void multiplyStage(float (&sums)[COLUMNS / 2], u32 (&fragments)[4][4], const u8* left, const u8* right, int group, bool isFirst)
{
    using S = Stage<T, COLUMNS, ROUNDED>;
    if constexpr (ROUNDED)
    {
        int lane = threadIdx.x & 31, row = group * GROUP_ROWS + (threadIdx.x >> 5 & 3) * 16 + (lane >> 2);
        #pragma unroll
        for (int i = 0; i < S::BOXES; i++) roundFragments<T>(fragments[2 * i], fragments[2 * i + 1], left + i * S::BOX_BYTES, row);
    }
    fenceProducts();
    #pragma unroll
    for (int i = 0; i < 4; i++)
    {
        u64 b = describeTile(right + i * 32);
        int accumulate = !isFirst || i > 0;
        if constexpr (ROUNDED) multiplyFragments<T>(sums, fragments[i], b, accumulate);
        else multiplyTiles<T>(sums, describeTile(left + group * GROUP_ROWS * ROW_BYTES + i * 32), b, accumulate);
    }
    commitProducts();
}

// The sums of one tile, by the 128 threads of a group.
template <class T, int COLUMNS, bool ROUNDED> DEVICE void multiplyTile(const Ring<Stage<T, COLUMNS, ROUNDED>>& ring, Place<Stage<T, COLUMNS, ROUNDED>::COUNT>& at, int steps, int group, float (&sums)[COLUMNS / 2])
{
    using S = Stage<T, COLUMNS, ROUNDED>;
    // Each warp gives a stage back for itself: products of the group's other warps may still be reading.
    bool isSpeaker = (threadIdx.x & 31) == 0;
    u32 fragments[4][4];
    int ended = at.stage;
    for (int step = 0; step < steps; step++)
    {
        waitForPhase(&ring.full[at.stage], at.parity);
        multiplyStage<T, COLUMNS, ROUNDED>(sums, fragments, ring.left(at.stage), ring.right(at.stage), group, step == 0);
        waitForProducts<S::PRODUCTS_UNDER_WAY>();
        if (isSpeaker && step >= S::PRODUCTS_UNDER_WAY) arrive(&ring.empty[ended]);
        if (step >= S::PRODUCTS_UNDER_WAY) ended = ended + 1 < S::COUNT ? ended + 1 : 0;
        at.advance();
    }
    if constexpr (S::PRODUCTS_UNDER_WAY > 0)
    {
        waitForProducts<0>();
        if (isSpeaker) arrive(&ring.empty[ended]);
    }
    settle(sums);
}

// Finishes two neighbouring elements of C, which both lie within.
template <int ACTIVATION> DEVICE void finishPair(const Product& p, i64 i, int j, float2 sum)
{
    if (p.bias) sum = make_float2(sum.x + p.bias[j], sum.y + p.bias[j + 1]);
    if (p.preActivation) *(float2*)(p.preActivation + i * p.cRow + j) = sum;
    sum = make_float2(activate<ACTIVATION>(sum.x), activate<ACTIVATION>(sum.y));
    RESULT* c = p.c + i * p.cRow + j;
    if (p.residual)
    {
        float2 residual = *(const float2*)(p.residual + i * p.residualRow + j);
        sum = make_float2(sum.x + residual.x, sum.y + residual.y);
    }
    if (p.accumulate) sum = make_float2(toFloat(c[0]) + sum.x, toFloat(c[1]) + sum.y);
    storePair(c, sum.x, sum.y);
}

// The work of a block of HOPPER_THREADS threads: tiles blockIdx.x, blockIdx.x + gridDim.x and so on. copy(tile, left part, right part, step, barrier)
// starts the copies of a step; rowOf(tile, row of the tile) is the row of C, or -1; columnOf(tile) the tile's first column.
template <class T, int COLUMNS, bool ROUNDED, int ACTIVATION, class Copy, class RowOf, class ColumnOf>
DEVICE void multiplyAll(const Product& p, int tiles, int steps, const Copy& copy, const RowOf& rowOf, const ColumnOf& columnOf)
{
    using S = Stage<T, COLUMNS, ROUNDED>;
    extern __shared__ __align__(1024) u8 shared[];
    Ring<S> ring(shared);
    ring.prepare();
    Place<S::COUNT> at;
    if (threadIdx.x < GROUP_THREADS)
    {
        giveRegistersUpTo<COPYING_REGISTERS>();
        if (threadIdx.x != 0) return;
        for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x)
            fill(ring, at, steps, [&](u8* left, u8* right, int step, u64* barrier) { copy(tile, left, right, step, barrier); });
    }
    else
    {
        takeRegistersUpTo<MULTIPLYING_REGISTERS>();
        int group = threadIdx.x / GROUP_THREADS - 1, lane = threadIdx.x & 31, row = group * GROUP_ROWS + (threadIdx.x >> 5 & 3) * 16 + (lane >> 2);
        float sums[COLUMNS / 2];
        for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x)
        {
            multiplyTile<T, COLUMNS, ROUNDED>(ring, at, steps, group, sums);
            int column = columnOf(tile) + (lane & 3) * 2;
            #pragma unroll
            for (int half = 0; half < 2; half++)
            {
                i64 i = rowOf(tile, row + half * 8);
                if (i < 0) continue;
                #pragma unroll
                for (int j = 0; j < COLUMNS / 8; j++)
                    if (column + j * 8 < p.n) finishPair<ACTIVATION>(p, i, column + j * 8, make_float2(sums[j * 4 + half * 2], sums[j * 4 + half * 2 + 1]));
            }
        }
    }
}
