// What kernels on the matrix units that are written once for both 16-bit types differ in.
#pragma once
#include "Ptx.cuh"

DEVICE float toFloat(float x) { return x; }

// Rounds to the type of the target; float16 beyond 65504 becomes infinite.
DEVICE void store(float& to, float x) { to = x; }
DEVICE void store(bf16& to, float x) { to = toBf16(x); }
DEVICE void store(f16& to, float x) { to = toF16(x); }

// Two numbers in one register, the first in the lower half, and sums[16x8] += a[16x16] b[16x8].
template <class T> struct HalfType;

template <> struct HalfType<bf16>
{
    static __device__ __forceinline__ u32 pack(float low, float high) { return packBf16(low, high); }
    static __device__ __forceinline__ void multiplyAdd(float (&sums)[4], const u32 (&a)[4], u32 b0, u32 b1) { multiplyAddBf16(sums, a, b0, b1); }
};

template <> struct HalfType<f16>
{
    static __device__ __forceinline__ u32 pack(float low, float high) { return packF16(low, high); }
    static __device__ __forceinline__ void multiplyAdd(float (&sums)[4], const u32 (&a)[4], u32 b0, u32 b1) { multiplyAddF16(sums, a, b0, b1); }
};

// Two neighbours at once, the first at an even place.
DEVICE void storePair(float* to, float first, float second) { *(float2*)to = make_float2(first, second); }
DEVICE void storePair(bf16* to, float first, float second) { *(u32*)to = packBf16(first, second); }
DEVICE void storePair(f16* to, float first, float second) { *(u32*)to = packF16(first, second); }
