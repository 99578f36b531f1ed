// Stands in for NVIDIA's headers, so that clang alone compiles kernels to PTX: a check of the language, of operands' number
// and of names; the result is not run. Included before every kernel; the attributes, vector types and constants are those that
// clang's own CUDA headers expect.
#pragma once
#define __host__ __attribute__((host))
#define __device__ __attribute__((device))
#define __global__ __attribute__((global))
#define __shared__ __attribute__((shared))
#define __constant__ __attribute__((constant))
#define __launch_bounds__(...) __attribute__((launch_bounds(__VA_ARGS__)))
#define __forceinline__ inline __attribute__((always_inline))
#define __noinline__ __attribute__((noinline))
#define __align__(n) __attribute__((aligned(n)))
#if __clang_major__ >= 20
#define __grid_constant__ __attribute__((grid_constant))
#else
#define __grid_constant__
#endif
#define CUDA_VERSION 12000
#define INT_MAX 2147483647
#define INT_MIN (-INT_MAX - 1)
#define HUGE_VAL __builtin_huge_val()
#define HUGE_VALF __builtin_huge_valf()

typedef __SIZE_TYPE__ size_t;
typedef unsigned int cuuint32_t;
struct uint3;

#define VECTORS(T, N, A)                                                                                    \
    struct N##1 { T x; };                                                                                   \
    struct __align__(A / 2) N##2 { T x, y; };                                                               \
    struct N##3 { T x, y, z; };                                                                             \
    struct __align__(A) N##4 { T x, y, z, w; };                                                             \
    static __device__ inline N##2 make_##N##2(T a, T b) { return {a, b}; }                                  \
    static __device__ inline N##4 make_##N##4(T a, T b, T c, T d) { return {a, b, c, d}; }
VECTORS(signed char, char, 4)
VECTORS(unsigned char, uchar, 4)
VECTORS(short, short, 8)
VECTORS(unsigned short, ushort, 8)
VECTORS(int, int, 16)
VECTORS(unsigned int, uint, 16)
VECTORS(long, long, 16)
VECTORS(unsigned long, ulong, 16)
VECTORS(long long, longlong, 16)
VECTORS(unsigned long long, ulonglong, 16)
VECTORS(float, float, 16)
VECTORS(double, double, 16)

struct dim3
{
    unsigned x, y, z;
    __host__ __device__ constexpr dim3(unsigned a = 1, unsigned b = 1, unsigned c = 1) : x(a), y(b), z(c) {}
};

static __device__ inline unsigned __isShared(const void* p) { return __nvvm_isspacep_shared(p); }
static __device__ inline size_t __cvta_generic_to_shared(const void* p)
{
    return (size_t)(unsigned)(unsigned long long)(__attribute__((address_space(3))) const void*)p;
}

#include <__clang_cuda_builtin_vars.h>
#include <__clang_cuda_libdevice_declares.h>
#include <__clang_cuda_device_functions.h>
#include <__clang_cuda_math.h>
#include <__clang_cuda_intrinsics.h>

#define ATOMIC(T, name, function) static __device__ inline T name(T* p, T value) { return function(p, value); }
ATOMIC(float, atomicAdd, __fAtomicAdd)
ATOMIC(double, atomicAdd, __dAtomicAdd)
ATOMIC(int, atomicAdd, __iAtomicAdd)
ATOMIC(unsigned, atomicAdd, __uAtomicAdd)
ATOMIC(unsigned long long, atomicAdd, __ullAtomicAdd)
ATOMIC(int, atomicMax, __iAtomicMax)
ATOMIC(int, atomicMin, __iAtomicMin)
ATOMIC(unsigned, atomicMax, __uAtomicMax)
ATOMIC(unsigned, atomicOr, __uAtomicOr)
