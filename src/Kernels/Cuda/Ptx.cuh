// All inline PTX for GPUs from compute capability 8.0 on: conversions, products on the matrix units, asynchronous copies. The
// tests have a twin of this file for the CPU (tests/Emulator/include); a function here needs one there.
#pragma once
#include "Types.cuh"

// ---- conversions: to the nearest, ties to even ----

DEVICE float toFloat(bf16 x) { return __uint_as_float((u32)x.bits << 16); }

DEVICE bf16 toBf16(float x)
{
    u16 bits;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return bf16{bits};
}

// Two numbers in one register, the first in the lower half.
DEVICE u32 packBf16(float low, float high)
{
    u32 bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
}

DEVICE float toFloat(f16 x)
{
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(x.bits));
    return value;
}

DEVICE f16 toF16(float x)
{
    u16 bits;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(bits) : "f"(x));
    return f16{bits};
}

// Two numbers in one register, the first in the lower half.
DEVICE u32 packF16(float low, float high)
{
    u32 bits;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
}

// A float with 10 bits of mantissa, as products of type TF32 take it; ties away from zero.
DEVICE u32 toTf32(float x)
{
    u32 bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return bits;
}

// ---- products of a warp; fragments as the PTX manual draws them ----

DEVICE u32 sharedAddress(const void* p) { return (u32)__cvta_generic_to_shared(p); }

// Four 8x8 matrices of 16-bit numbers; lane l gives the address of row l % 8 of matrix l / 8, a multiple of 16 bytes.
DEVICE void loadMatrices(u32 (&fragments)[4], const void* row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(fragments[0]), "=r"(fragments[1]), "=r"(fragments[2]), "=r"(fragments[3]) : "r"(sharedAddress(row)) : "memory");
}

// The same matrices, each transposed.
DEVICE void loadMatricesTransposed(u32 (&fragments)[4], const void* row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(fragments[0]), "=r"(fragments[1]), "=r"(fragments[2]), "=r"(fragments[3]) : "r"(sharedAddress(row)) : "memory");
}

// sums[16x8] += a[16x16] b[16x8], bfloat16 with float32 sums.
DEVICE void multiplyAddBf16(float (&sums)[4], const u32 (&a)[4], u32 b0, u32 b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// The same for float16.
DEVICE void multiplyAddF16(float (&sums)[4], const u32 (&a)[4], u32 b0, u32 b1)
{
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// sums[16x8] += a[16x8] b[8x8], TF32 with float32 sums.
DEVICE void multiplyAddTf32(float (&sums)[4], const u32 (&a)[4], u32 b0, u32 b1)
{
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// ---- asynchronous copies into shared memory ----

// 16 bytes, or 16 bytes of zeros; both addresses are multiples of 16.
DEVICE void copyAsync16(void* shared, const void* global, bool isValid)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" :: "r"(sharedAddress(shared)), "l"(global), "r"(isValid ? 16 : 0) : "memory");
}

// 4 bytes, or 4 bytes of zeros; both addresses are multiples of 4.
DEVICE void copyAsync4(void* shared, const void* global, bool isValid)
{
    asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" :: "r"(sharedAddress(shared)), "l"(global), "r"(isValid ? 4 : 0) : "memory");
}

// Ends a group of copies.
DEVICE void commitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Waits until at most GROUPS groups of this thread's copies are under way. Others see them after a barrier.
template <int GROUPS> DEVICE void waitForCopies() { asm volatile("cp.async.wait_group %0;" :: "n"(GROUPS) : "memory"); }
