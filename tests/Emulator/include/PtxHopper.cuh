// The twin of src/Kernels/Cuda/PtxHopper.cuh for the CPU.
#pragma once
#include "Ptx.cuh"

#if EMULATED_CAPABILITY != 90
#error "these instructions exist on GPUs of compute capability 9.0 alone"
#endif

// What cuTensorMapEncodeTiled (runtime/driver.cpp) writes; the first axis is the one along which numbers are neighbours.
struct alignas(64) TensorMap
{
    u64 address;
    u32 rank, elementBytes, swizzle, extents[5], box[5];
    u64 strides[5];
};
static_assert(sizeof(TensorMap) == 128, "as large as CUDA's");

namespace emulator
{
    constexpr u32 Swizzle128 = 3;

    // The eight bytes of a barrier. Memory that was not initialised has another mark.
    struct BarrierState
    {
        u32 parity : 1, arrivals : 12, missing : 12, mark : 7;
        int bytes;
    };
    static_assert(sizeof(BarrierState) == 8, "as large as CUDA's");
    constexpr u32 BarrierMark = 0x2A;

    // Shared by the block, as what is static thread_local is: not 0 before the barriers are published.
    static thread_local int barriersToPublish;

    static BarrierState* barrierAt(u64* barrier)
    {
        BarrierState* state = (BarrierState*)barrier;
        if (state->mark != BarrierMark) fail("mbarrier: used before it is initialised");
        if (barriersToPublish) fail("mbarrier: used before fence.mbarrier_init and fence.proxy.async");
        return state;
    }

    static void endPhaseIfComplete(BarrierState* state)
    {
        if (state->missing || state->bytes) return;
        state->parity ^= 1;
        state->missing = state->arrivals;
    }

    struct TileCopy
    {
        TensorMap map;
        char* shared;
        int at[5];
        u64* barrier;
    };

    // Where a byte of a tile lies: bits 4 to 6 of its address are exchanged by bits 7 to 9.
    static u64 swizzled(u64 address) { return address ^ (address >> 7 & 7) << 4; }

    static u32 tileBytes(const TensorMap& map)
    {
        u32 bytes = map.elementBytes;
        for (u32 axis = 0; axis < map.rank; axis++) bytes *= map.box[axis];
        return bytes;
    }

    static void runTileCopy(void* operand)
    {
        const TileCopy& copy = *(const TileCopy*)operand;
        const TensorMap& map = copy.map;
        u32 bytes = tileBytes(map), rowBytes = map.box[0] * map.elementBytes;
        for (u32 done = 0; done < bytes; done += map.elementBytes)
        {
            u32 rest = done / rowBytes;
            int place = copy.at[0] + (int)(done % rowBytes / map.elementBytes);
            bool isInside = place >= 0 && place < (int)map.extents[0];
            u64 from = map.address + (u64)place * map.elementBytes;
            for (u32 axis = 1; axis < map.rank; axis++)
            {
                int index = copy.at[axis] + (int)(rest % map.box[axis]);
                rest /= map.box[axis];
                isInside = isInside && index >= 0 && index < (int)map.extents[axis];
                from += (u64)index * map.strides[axis];
            }
            u64 to = (u64)copy.shared + done;
            if (map.swizzle == Swizzle128) to = swizzled(to);
            if (isInside) __builtin_memcpy((void*)to, (void*)from, map.elementBytes);
            else __builtin_memset((void*)to, 0, map.elementBytes);
        }
        BarrierState* state = (BarrierState*)copy.barrier;
        state->bytes -= (int)bytes;
        endPhaseIfComplete(state);
    }

    static void startTileCopy(TileCopy copy)
    {
        char* first = block->dynamicShared;
        if ((u64)copy.shared & (copy.map.swizzle == Swizzle128 ? 1023 : 127)) fail("TMA: a tile's address in shared memory is not a multiple of 128, or of 1024 with swizzling");
        if (copy.shared < first || copy.shared + tileBytes(copy.map) > first + block->dynamicBytes) fail("TMA: a tile leaves the dynamic shared memory");
        barrierAt(copy.barrier);
        whenNothingElseRuns(runTileCopy, &copy, sizeof copy);
    }

    // Number (row, place) of a tile as products read it, 128 bytes in a row, eight rows in 1024 bytes.
    template <class T> float numberAt(const void* tile, int row, int place)
    {
        u64 address = swizzled((u64)tile + row * 128 + place * sizeof(T));
        if constexpr (isSame<T, float>) return __uint_as_float(*(u32*)address & 0xFFFFE000);
        else return toFloat(*(T*)address);
    }

    template <class T> float halfOf(u32 pair, int half) { return toFloat(T{(u16)(pair >> 16 * half)}); }

    // sums of a warp group: thread t has rows 16 (t / 32) + t % 32 / 4 (+ 8), columns 8 j + 2 (t % 4) (+ 1).
    template <class T, int N, bool IS_SHARED, bool ACCUMULATES> void runGroupProduct(float* const* sums, const void* const* a, const void* b)
    {
        constexpr int K = 32 / sizeof(T);
        static thread_local float left[64][K], right[K][N], all[64][N];
        for (int k = 0; k < K; k++)
            for (int j = 0; j < N; j++) right[k][j] = numberAt<T>(b, j, k);
        for (int t = 0; t < 128; t++)
        {
            if (IS_SHARED && a[t] != a[0]) fail("wgmma: the threads of a warp group bring different tiles");
            int row = t / 32 * 16 + t % 32 / 4, pair = (t & 3) * 2;
            for (int i = 0; i < N / 2; i++) all[row + (i >> 1 & 1) * 8][(i >> 2) * 8 + pair + (i & 1)] = ACCUMULATES ? sums[t][i] : 0.f;
            if constexpr (!IS_SHARED)
                for (int r = 0; r < 4; r++)
                    for (int h = 0; h < 2; h++) left[row + (r & 1) * 8][pair + (r >> 1) * 8 + h] = halfOf<T>(((const u32*)a[t])[r], h);
        }
        if (IS_SHARED)
            for (int i = 0; i < 64; i++)
                for (int k = 0; k < K; k++) left[i][k] = numberAt<T>(a[0], i, k);
        for (int i = 0; i < 64; i++)
            for (int k = 0; k < K; k++)
                for (int j = 0; j < N; j++) all[i][j] += left[i][k] * right[k][j];
        for (int t = 0; t < 128; t++)
            for (int i = 0; i < N / 2; i++) sums[t][i] = all[t / 32 * 16 + t % 32 / 4 + (i >> 1 & 1) * 8][(i >> 2) * 8 + (t & 3) * 2 + (i & 1)];
    }
}

DEVICE void initBarrier(u64* barrier, u32 arrivals)
{
    emulator::BarrierState state{0, arrivals, arrivals, emulator::BarrierMark, 0};
    __builtin_memcpy(barrier, &state, sizeof state);
    emulator::barriersToPublish = 1;
}

DEVICE void publishBarriers() { emulator::barriersToPublish = 0; }

DEVICE void arrive(u64* barrier)
{
    emulator::BarrierState* state = emulator::barrierAt(barrier);
    if (!state->missing) emulator::fail("mbarrier: more arrivals than it counts");
    state->missing--;
    emulator::endPhaseIfComplete(state);
}

DEVICE void arriveExpecting(u64* barrier, u32 bytes)
{
    emulator::barrierAt(barrier)->bytes += (int)bytes;
    arrive(barrier);
}

DEVICE void waitForPhase(u64* barrier, u32 parity)
{
    emulator::barrierAt(barrier);
    emulator::waitWhile((const volatile unsigned*)barrier, 1, parity, "mbarrier wait");
}

DEVICE void copyTile(void* shared, const TensorMap& map, int column, int row, u64* barrier)
{
    if (map.rank != 2) emulator::fail("TMA: the tensor map has not the instruction's 2 axes");
    emulator::startTileCopy({map, (char*)shared, {column, row, 0, 0, 0}, barrier});
}

DEVICE void copyTile(void* shared, const TensorMap& map, int channel, int x, int y, int frame, int number, u64* barrier)
{
    if (map.rank != 5) emulator::fail("TMA: the tensor map has not the instruction's 5 axes");
    emulator::startTileCopy({map, (char*)shared, {channel, x, y, frame, number}, barrier});
}

DEVICE void fenceProducts() { emulator::fenceGroupProducts(); }

DEVICE void commitProducts() { emulator::commitGroupProducts(); }

template <int GROUPS> DEVICE void waitForProducts() { emulator::waitForGroupProducts(GROUPS); }

template <int COUNT> DEVICE void settle(float (&sums)[COUNT]) {}

DEVICE u64 describeTile(const void* tile)
{
    if ((u64)tile & 15) emulator::fail("wgmma: a tile's address is not a multiple of 16");
    return (u64)tile;
}

template <class T, int COUNT> DEVICE void multiplyTiles(float (&sums)[COUNT], u64 a, u64 b, int accumulate)
{
    auto run = accumulate ? emulator::runGroupProduct<T, 2 * COUNT, true, true> : emulator::runGroupProduct<T, 2 * COUNT, true, false>;
    emulator::queueGroupProduct(sums, (const void*)a, (const void*)b, run);
}

template <class T, int COUNT> DEVICE void multiplyFragments(float (&sums)[COUNT], const u32 (&a)[4], u64 b, int accumulate)
{
    auto run = accumulate ? emulator::runGroupProduct<T, 2 * COUNT, false, true> : emulator::runGroupProduct<T, 2 * COUNT, false, false>;
    emulator::queueGroupProduct(sums, a, (const void*)b, run);
}

// A warp group has registers enough, or it has not: nothing to compute.
template <int REGISTERS> DEVICE void giveRegistersUpTo() { static_assert(REGISTERS % 8 == 0 && REGISTERS >= 24 && REGISTERS <= 256, "what setmaxnreg takes"); }
template <int REGISTERS> DEVICE void takeRegistersUpTo() { static_assert(REGISTERS % 8 == 0 && REGISTERS >= 24 && REGISTERS <= 256, "what setmaxnreg takes"); }
