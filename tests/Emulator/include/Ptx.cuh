// The twin of src/Kernels/Cuda/Ptx.cuh for the CPU: the same functions, computed lane by lane.
#pragma once
#include "Types.cuh"

DEVICE float toFloat(bf16 x) { return __uint_as_float((u32)x.bits << 16); }

DEVICE bf16 toBf16(float x)
{
    u32 bits = __float_as_uint(x);
    if ((bits & 0x7FFFFFFF) > 0x7F800000) return bf16{0x7FFF};
    return bf16{(u16)((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)};
}

DEVICE u32 packBf16(float low, float high) { return toBf16(low).bits | (u32)toBf16(high).bits << 16; }

DEVICE float toFloat(f16 x)
{
    _Float16 half;
    __builtin_memcpy(&half, &x.bits, 2);
    return (float)half;
}

DEVICE f16 toF16(float x)
{
    if (x != x) return f16{0x7FFF};
    _Float16 half = (_Float16)x;
    f16 result;
    __builtin_memcpy(&result.bits, &half, 2);
    return result;
}

DEVICE u32 packF16(float low, float high) { return toF16(low).bits | (u32)toF16(high).bits << 16; }

DEVICE u32 toTf32(float x) { return (__float_as_uint(x) + 0x1000) & 0xFFFFE000; }

namespace emulator
{
    struct MatrixLoad { u32* fragments; const u16* row; };

    template <bool Transposed> void loadAll(void** operands, unsigned)
    {
        MatrixLoad** lanes = (MatrixLoad**)operands;
        for (int lane = 0; lane < 32; lane++)
        {
            for (int matrix = 0; matrix < 4; matrix++)
            {
                auto at = [&](int row, int column) { return (u32)lanes[matrix * 8 + row]->row[column]; };
                int group = lane >> 2, pair = (lane & 3) * 2;
                lanes[lane]->fragments[matrix] = Transposed ? at(pair, group) | at(pair + 1, group) << 16 : at(group, pair) | at(group, pair + 1) << 16;
            }
        }
    }

    template <bool Transposed> void load(u32* fragments, const void* row)
    {
        if ((u64)row & 15) fail("ldmatrix: a row's address is not a multiple of 16");
        MatrixLoad mine{fragments, (const u16*)row};
        collective(~0u, &mine, Transposed ? "ldmatrix.trans" : "ldmatrix", loadAll<Transposed>);
    }

    struct Product { float* sums; const u32* a; u32 b[2]; };

    struct Bf16Value { static float of(u32 half) { return __uint_as_float(half << 16); } };
    struct F16Value { static float of(u32 half) { return toFloat(f16{(u16)half}); } };

    // m16n8k16 of 16-bit numbers.
    template <class Value> void multiplyAll(void** operands, unsigned)
    {
        Product** lanes = (Product**)operands;
        float a[16][16], b[16][8], sums[16][8];
        for (int lane = 0; lane < 32; lane++)
        {
            Product* p = lanes[lane];
            int group = lane >> 2, pair = (lane & 3) * 2;
            for (int r = 0; r < 4; r++)
                for (int h = 0; h < 2; h++) a[group + (r & 1) * 8][pair + (r >> 1) * 8 + h] = Value::of(p->a[r] >> 16 * h & 0xFFFF);
            for (int r = 0; r < 2; r++)
                for (int h = 0; h < 2; h++) b[pair + r * 8 + h][group] = Value::of(p->b[r] >> 16 * h & 0xFFFF);
            for (int r = 0; r < 4; r++) sums[group + (r >> 1) * 8][pair + (r & 1)] = p->sums[r];
        }
        for (int i = 0; i < 16; i++)
            for (int k = 0; k < 16; k++)
                for (int j = 0; j < 8; j++) sums[i][j] += a[i][k] * b[k][j];
        for (int lane = 0; lane < 32; lane++)
            for (int r = 0; r < 4; r++) lanes[lane]->sums[r] = sums[(lane >> 2) + (r >> 1) * 8][(lane & 3) * 2 + (r & 1)];
    }

    // m16n8k8 of floats whose lower bits the hardware ignores.
    static void multiplyAllTf32(void** operands, unsigned)
    {
        Product** lanes = (Product**)operands;
        float a[16][8], b[8][8], sums[16][8];
        auto value = [](u32 bits) { return __uint_as_float(bits & 0xFFFFE000); };
        for (int lane = 0; lane < 32; lane++)
        {
            Product* p = lanes[lane];
            int group = lane >> 2, third = lane & 3;
            for (int r = 0; r < 4; r++) a[group + (r & 1) * 8][third + (r >> 1) * 4] = value(p->a[r]);
            for (int r = 0; r < 2; r++) b[third + r * 4][group] = value(p->b[r]);
            for (int r = 0; r < 4; r++) sums[group + (r >> 1) * 8][third * 2 + (r & 1)] = p->sums[r];
        }
        for (int i = 0; i < 16; i++)
            for (int k = 0; k < 8; k++)
                for (int j = 0; j < 8; j++) sums[i][j] += a[i][k] * b[k][j];
        for (int lane = 0; lane < 32; lane++)
            for (int r = 0; r < 4; r++) lanes[lane]->sums[r] = sums[(lane >> 2) + (r >> 1) * 8][(lane & 3) * 2 + (r & 1)];
    }
}

DEVICE void loadMatrices(u32 (&fragments)[4], const void* row) { emulator::load<false>(fragments, row); }

DEVICE void loadMatricesTransposed(u32 (&fragments)[4], const void* row) { emulator::load<true>(fragments, row); }

DEVICE void multiplyAddBf16(float (&sums)[4], const u32 (&a)[4], u32 b0, u32 b1)
{
    emulator::Product mine{sums, a, {b0, b1}};
    emulator::collective(~0u, &mine, "mma bf16", emulator::multiplyAll<emulator::Bf16Value>);
}

DEVICE void multiplyAddF16(float (&sums)[4], const u32 (&a)[4], u32 b0, u32 b1)
{
    emulator::Product mine{sums, a, {b0, b1}};
    emulator::collective(~0u, &mine, "mma f16", emulator::multiplyAll<emulator::F16Value>);
}

DEVICE void multiplyAddTf32(float (&sums)[4], const u32 (&a)[4], u32 b0, u32 b1)
{
    emulator::Product mine{sums, a, {b0, b1}};
    emulator::collective(~0u, &mine, "mma tf32", emulator::multiplyAllTf32);
}

DEVICE void copyAsync16(void* shared, const void* global, bool isValid) { emulator::copyAsync(shared, global, 16, isValid); }

DEVICE void copyAsync4(void* shared, const void* global, bool isValid) { emulator::copyAsync(shared, global, 4, isValid); }

DEVICE void commitCopies() { emulator::commitCopies(); }

template <int GROUPS> DEVICE void waitForCopies() { emulator::waitForCopies(GROUPS); }
