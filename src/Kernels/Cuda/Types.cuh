// Short names of number types, for kernels: NVRTC brings no standard headers.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;
typedef long long i64;

// The upper half of a float.
struct bf16
{
    u16 bits;
};

// IEEE binary16.
struct f16
{
    u16 bits;
};

#define DEVICE static __device__ __forceinline__

template <class A, class B> constexpr bool isSame = false;
template <class A> constexpr bool isSame<A, A> = true;
