// Inline PTX that only GPUs of compute capability 9.0 have: barriers that count bytes, copies of tiles by the tensor memory
// accelerator, products of a warp group (128 threads), registers handed from warps to warps. Has its twin as Ptx.cuh does.
#pragma once
#include "Ptx.cuh"

// Describes a matrix in global memory and the tile that a copy takes of it (CUtensorMap, made by the host). A kernel takes it as
// const __grid_constant__ parameter.
struct __align__(64) TensorMap
{
    u64 words[16];
};

// ---- barriers in shared memory: a phase ends when all arrivals and all announced bytes are there ----

DEVICE void initBarrier(u64* barrier, u32 arrivals)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" :: "r"(sharedAddress(barrier)), "r"(arrivals) : "memory");
}

// Shows initialised barriers to the copies; the block's other threads see them after __syncthreads.
DEVICE void publishBarriers()
{
    asm volatile("fence.mbarrier_init.release.cluster;\n\tfence.proxy.async.shared::cta;" ::: "memory");
}

DEVICE void arrive(u64* barrier)
{
    asm volatile("mbarrier.arrive.release.cta.shared::cta.b64 _, [%0];" :: "r"(sharedAddress(barrier)) : "memory");
}

// Arrives and announces how many bytes copies will bring in this phase.
DEVICE void arriveExpecting(u64* barrier, u32 bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.release.cta.shared::cta.b64 _, [%0], %1;" :: "r"(sharedAddress(barrier)), "r"(bytes) : "memory");
}

// Waits for the end of the phase with this parity: phases are numbered from 0, and the one before them counts as ended.
DEVICE void waitForPhase(u64* barrier, u32 parity)
{
    asm volatile("{\n\t.reg .pred p;\n\tWAIT: mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n\t@p bra DONE;\n\tbra WAIT;\n\tDONE: }"
                 :: "r"(sharedAddress(barrier)), "r"(parity) : "memory");
}

// ---- copies of whole tiles into shared memory, started by one thread; zeros where the tile leaves the matrix ----

DEVICE void copyTile(void* shared, const TensorMap& map, int column, int row, u64* barrier)
{
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4}], [%2];"
                 :: "r"(sharedAddress(shared)), "l"(&map), "r"(sharedAddress(barrier)), "r"(column), "r"(row) : "memory");
}

// The same of channels-last maps: channel, column, row, frame and map where the box begins.
DEVICE void copyTile(void* shared, const TensorMap& map, int channel, int x, int y, int frame, int number, u64* barrier)
{
    asm volatile("cp.async.bulk.tensor.5d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {%3, %4, %5, %6, %7}], [%2];"
                 :: "r"(sharedAddress(shared)), "l"(&map), "r"(sharedAddress(barrier)), "r"(channel), "r"(x), "r"(y), "r"(frame), "r"(number) : "memory");
}

// ---- products of a warp group: sums[64 x 2 COUNT] += a b^T; asynchronous, like a copy ----

// Before the first product, and after the threads touched sums or fragments.
DEVICE void fenceProducts() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }

// Ends a group of products.
DEVICE void commitProducts() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }

// Waits until at most GROUPS groups are under way; only then sums may be read, fragments and tiles written.
template <int GROUPS> DEVICE void waitForProducts() { asm volatile("wgmma.wait_group.sync.aligned %0;" :: "n"(GROUPS) : "memory"); }

// Behind the last wait: keeps the compiler from moving what is computed from sums before it.
template <int COUNT> DEVICE void settle(float (&sums)[COUNT])
{
    #pragma unroll
    for (int i = 0; i < COUNT; i++) asm volatile("" : "+f"(sums[i]) :: "memory");
}

// A tile in shared memory as products read it: rows of 128 bytes along the depth, swizzled as TensorMap.Of does, on an address that
// is a multiple of 1024. The next 32 bytes of depth begin 32 bytes further.
DEVICE u64 describeTile(const void* tile)
{
    return (u64)((sharedAddress(tile) & 0x3FFFF) >> 4) | 1ull << 16 | 64ull << 32 | 1ull << 62;
}

// The operands of a product are many registers: their numbers, and the sums as operands.
#define NUMBERS_32  \
    "%0, %1, %2, %3, %4, %5, %6, %7, %8, %9, %10, %11, %12, %13, %14, %15, %16, %17, %18, %19, %20, %21, %22, %23, %24, %25, %26, %27, " \
    "%28, %29, %30, %31"
#define NUMBERS_64 NUMBERS_32 \
    ", %32, %33, %34, %35, %36, %37, %38, %39, %40, %41, %42, %43, %44, %45, %46, %47, %48, %49, %50, %51, %52, %53, %54, %55, %56, %57, " \
    "%58, %59, %60, %61, %62, %63"
#define NUMBERS_128 NUMBERS_64 \
    ", %64, %65, %66, %67, %68, %69, %70, %71, %72, %73, %74, %75, %76, %77, %78, %79, %80, %81, %82, %83, %84, %85, %86, %87, %88, %89, " \
    "%90, %91, %92, %93, %94, %95, %96, %97, %98, %99, %100, %101, %102, %103, %104, %105, %106, %107, %108, %109, %110, %111, %112, " \
    "%113, %114, %115, %116, %117, %118, %119, %120, %121, %122, %123, %124, %125, %126, %127"
#define SUMS_8(i) "+f"(sums[i]), "+f"(sums[i + 1]), "+f"(sums[i + 2]), "+f"(sums[i + 3]), "+f"(sums[i + 4]), "+f"(sums[i + 5]), "+f"(sums[i + 6]), "+f"(sums[i + 7])
#define SUMS_32(i) SUMS_8(i), SUMS_8(i + 8), SUMS_8(i + 16), SUMS_8(i + 24)
#define SUMS_64(i) SUMS_32(i), SUMS_32(i + 32)
#define SUMS_128(i) SUMS_64(i), SUMS_64(i + 64)

#define PRODUCT(SHAPE, TYPES, NUMBERS, OPERANDS, PREDICATE, FLAGS)                                                           \
    "{\n\t.reg .pred p;\n\tsetp.ne.b32 p, " PREDICATE ", 0;\n\twgmma.mma_async.sync.aligned." SHAPE ".f32." TYPES            \
    " {" NUMBERS "}, " OPERANDS ", p, 1, 1" FLAGS ";\n\t}"

// The types' names; the numbers of depth of a product; whether operands lie as they are or transposed, which 16-bit ones can choose.
#define PRODUCT_OF(COLUMNS, NUMBERS, SUMS, OPERANDS, PREDICATE, T, FLAGS, ...)                                                \
    if constexpr (isSame<T, bf16>) asm volatile(PRODUCT("m64n" COLUMNS "k16", "bf16.bf16", NUMBERS, OPERANDS, PREDICATE, FLAGS) : SUMS(0) : __VA_ARGS__); \
    else if constexpr (isSame<T, f16>) asm volatile(PRODUCT("m64n" COLUMNS "k16", "f16.f16", NUMBERS, OPERANDS, PREDICATE, FLAGS) : SUMS(0) : __VA_ARGS__); \
    else asm volatile(PRODUCT("m64n" COLUMNS "k8", "tf32.tf32", NUMBERS, OPERANDS, PREDICATE, "") : SUMS(0) : __VA_ARGS__)

// Both operands from shared memory: 32 bytes of depth of T, which is bf16, f16, or float for TF32. accumulate 0: sums are overwritten.
template <class T, int COUNT> DEVICE void multiplyTiles(float (&sums)[COUNT], u64 a, u64 b, int accumulate)
{
    static_assert(COUNT == 32 || COUNT == 64 || COUNT == 128, "64, 128 or 256 columns");
    if constexpr (COUNT == 32) { PRODUCT_OF("64", NUMBERS_32, SUMS_32, "%32, %33", "%34", T, ", 0, 0", "l"(a), "l"(b), "r"(accumulate)); }
    else if constexpr (COUNT == 64) { PRODUCT_OF("128", NUMBERS_64, SUMS_64, "%64, %65", "%66", T, ", 0, 0", "l"(a), "l"(b), "r"(accumulate)); }
    else { PRODUCT_OF("256", NUMBERS_128, SUMS_128, "%128, %129", "%130", T, ", 0, 0", "l"(a), "l"(b), "r"(accumulate)); }
}

// The left operand from registers: warp w of the group brings rows 16 w to 16 w + 15, laid out as for multiplyAddBf16.
template <class T, int COUNT> DEVICE void multiplyFragments(float (&sums)[COUNT], const u32 (&a)[4], u64 b, int accumulate)
{
    static_assert(COUNT == 32 || COUNT == 64 || COUNT == 128, "64, 128 or 256 columns");
    if constexpr (COUNT == 32) { PRODUCT_OF("64", NUMBERS_32, SUMS_32, "{%32, %33, %34, %35}, %36", "%37", T, ", 0", "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate)); }
    else if constexpr (COUNT == 64) { PRODUCT_OF("128", NUMBERS_64, SUMS_64, "{%64, %65, %66, %67}, %68", "%69", T, ", 0", "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate)); }
    else { PRODUCT_OF("256", NUMBERS_128, SUMS_128, "{%128, %129, %130, %131}, %132", "%133", T, ", 0", "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "l"(b), "r"(accumulate)); }
}

// ---- registers move from the warps that copy to those that multiply; all warps of a group call one of these ----

template <int REGISTERS> DEVICE void giveRegistersUpTo() { asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" :: "n"(REGISTERS)); }
template <int REGISTERS> DEVICE void takeRegistersUpTo() { asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" :: "n"(REGISTERS)); }
