// The CUDA C++ language and library for host compilation, included before every kernel. The names in capitals are replaced
// after preprocessing (runtime/compiler.cpp), where a macro cannot say what is meant.
#pragma once
#include "emulator.h"

#define __global__ EMULATED_KERNEL
#define __launch_bounds__(threads, ...) EMULATED_BOUNDS((threads))
#define __shared__ EMULATED_SHARED
#define __device__
#define __host__
#define __constant__ static const
#define __grid_constant__
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __restrict__ __restrict
#define __align__(n) __attribute__((aligned(n)))

#define threadIdx (emulator::thread->id)
#define blockIdx (emulator::block->index)
#define blockDim (emulator::block->size)
#define gridDim (emulator::block->grid)
static const int warpSize = 32;

struct alignas(8) float2 { float x, y; };
struct float3 { float x, y, z; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) int2 { int x, y; };
struct alignas(16) int4 { int x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
struct alignas(8) ushort4 { unsigned short x, y, z, w; };
static inline float2 make_float2(float x, float y) { return {x, y}; }
static inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
static inline int2 make_int2(int x, int y) { return {x, y}; }
static inline int4 make_int4(int x, int y, int z, int w) { return {x, y, z, w}; }
static inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
static inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

extern "C"
{
    float expf(float); float exp2f(float); float expm1f(float); float logf(float); float log1pf(float); float log2f(float);
    float sqrtf(float); float erff(float); float erfcf(float); float tanhf(float); float powf(float, float); float sinf(float); float cosf(float);
    float fabsf(float); float floorf(float); float ceilf(float); float rintf(float); float roundf(float); float truncf(float);
    float fmaxf(float, float); float fminf(float, float); float fmaf(float, float, float); float copysignf(float, float); float ldexpf(float, int); float fmodf(float, float);
    double exp(double); double log(double); double sqrt(double); double fabs(double); double fma(double, double, double); double pow(double, double); double floor(double); double erf(double); double tanh(double);
}
static inline float rsqrtf(float x) { return 1.f / sqrtf(x); }
static inline double rsqrt(double x) { return 1. / sqrt(x); }
static inline float __expf(float x) { return expf(x); }
static inline float __logf(float x) { return logf(x); }
static inline float __fdividef(float a, float b) { return a / b; }
static inline float __frcp_rn(float x) { return 1.f / x; }
static inline float __fsqrt_rn(float x) { return sqrtf(x); }
static inline float __fdiv_rn(float a, float b) { return a / b; }
// Not contracted into fused operations, which is what these are for.
__attribute__((noinline)) static float __fmul_rn(float a, float b) { return a * b; }
__attribute__((noinline)) static double __dmul_rn(double a, double b) { return a * b; }
__attribute__((noinline)) static float __fadd_rn(float a, float b) { return a + b; }
static inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
static inline float __saturatef(float x) { return x < 0 ? 0 : x > 1 ? 1 : x; }
template <class T> static inline T min(T a, T b) { return b < a ? b : a; }
template <class T> static inline T max(T a, T b) { return a < b ? b : a; }
static inline int abs(int x) { return x < 0 ? -x : x; }
#define isnan(x) __builtin_isnan(x)
#define isinf(x) __builtin_isinf(x)
#define isfinite(x) __builtin_isfinite(x)

static inline float __uint_as_float(unsigned bits) { float x; __builtin_memcpy(&x, &bits, 4); return x; }
static inline unsigned __float_as_uint(float x) { unsigned bits; __builtin_memcpy(&bits, &x, 4); return bits; }
static inline int __float_as_int(float x) { return (int)__float_as_uint(x); }
static inline float __int_as_float(int bits) { return __uint_as_float((unsigned)bits); }
static inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)((unsigned long long)a * b >> 32); }
static inline int __popc(unsigned x) { return __builtin_popcount(x); }
static inline int __clz(int x) { return x ? __builtin_clz((unsigned)x) : 32; }
static inline int __ffs(int x) { return __builtin_ffs(x); }
template <class T> static inline T __ldg(const T* p) { return *p; }
static inline void __trap() { emulator::fail("__trap"); }
static inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
static inline void __threadfence_block() {}

static inline void __syncthreads() { emulator::barrier(0, emulator::block->size.x * emulator::block->size.y * emulator::block->size.z, "__syncthreads"); }
static inline void __syncwarp(unsigned mask = ~0u) { emulator::collective(mask, nullptr, "__syncwarp", [](void**, unsigned) {}); }

namespace emulator
{
    // One lane's part of a shuffle: what it offers and the lane that it reads.
    template <class T> struct Shuffle { T value, result; int source; };

    template <class T> static inline T shuffle(unsigned mask, T value, int source, const char* what)
    {
        Shuffle<T> mine{value, value, source};
        collective(mask, &mine, what, [](void** operands, unsigned lanes)
        {
            for (int lane = 0; lane < 32; lane++)
            {
                if (!(lanes >> lane & 1)) continue;
                Shuffle<T>* reader = (Shuffle<T>*)operands[lane];
                if (!(lanes >> reader->source & 1)) fail("a shuffle reads a lane that takes no part in it");
                reader->result = ((Shuffle<T>*)operands[reader->source])->value;
            }
        });
        return mine.result;
    }

    struct Vote { bool is; unsigned all; };
}

template <class T> static inline T __shfl_sync(unsigned mask, T value, int source, int width = 32)
{
    int lane = emulator::thread->lane;
    return emulator::shuffle(mask, value, lane / width * width + (source & (width - 1)), "__shfl_sync");
}
template <class T> static inline T __shfl_xor_sync(unsigned mask, T value, int bits, int width = 32)
{
    int lane = emulator::thread->lane, source = lane ^ bits;
    return emulator::shuffle(mask, value, source / width > lane / width ? lane : source, "__shfl_xor_sync");
}
template <class T> static inline T __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32)
{
    int lane = emulator::thread->lane;
    return emulator::shuffle(mask, value, lane % width + (int)by < width ? lane + (int)by : lane, "__shfl_down_sync");
}
template <class T> static inline T __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32)
{
    int lane = emulator::thread->lane;
    return emulator::shuffle(mask, value, lane % width >= (int)by ? lane - (int)by : lane, "__shfl_up_sync");
}
static inline unsigned __ballot_sync(unsigned mask, int predicate)
{
    emulator::Vote mine{predicate != 0, 0};
    emulator::collective(mask, &mine, "__ballot_sync", [](void** operands, unsigned lanes)
    {
        unsigned all = 0;
        for (int lane = 0; lane < 32; lane++)
            if (lanes >> lane & 1 && ((emulator::Vote*)operands[lane])->is) all |= 1u << lane;
        for (int lane = 0; lane < 32; lane++)
            if (lanes >> lane & 1) ((emulator::Vote*)operands[lane])->all = all;
    });
    return mine.all;
}
static inline int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
static inline int __all_sync(unsigned mask, int predicate) { return __ballot_sync(mask, !predicate) == 0; }

static inline int __syncthreads_or(int predicate)
{
    // Two barriers around a flag that the block shares; static thread_local is what __shared__ becomes.
    static thread_local int any;
    __syncthreads();
    any = 0;
    __syncthreads();
    if (predicate) any = 1;
    __syncthreads();
    return any;
}

// Blocks run on several threads of the system, so atomic operations are real ones.
template <class T, class F> static inline T emulatedAtomic(T* p, F change)
{
    T before, after;
    __atomic_load(p, &before, __ATOMIC_RELAXED);
    do after = change(before);
    while (!__atomic_compare_exchange(p, &before, &after, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED));
    return before;
}
template <class T> static inline T atomicAdd(T* p, T value) { return emulatedAtomic(p, [value](T old) { return (T)(old + value); }); }
template <class T> static inline T atomicMax(T* p, T value) { return emulatedAtomic(p, [value](T old) { return old > value ? old : value; }); }
template <class T> static inline T atomicMin(T* p, T value) { return emulatedAtomic(p, [value](T old) { return old < value ? old : value; }); }
template <class T> static inline T atomicExch(T* p, T value) { return emulatedAtomic(p, [value](T) { return value; }); }
template <class T> static inline T atomicOr(T* p, T value) { return emulatedAtomic(p, [value](T old) { return old | value; }); }
template <class T> static inline T atomicCAS(T* p, T expected, T value) { return emulatedAtomic(p, [=](T old) { return old == expected ? value : old; }); }
