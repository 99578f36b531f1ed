// Counter-based random numbers, Philox4x32-10, the very numbers of Lavt.Tensors.Philox.
#pragma once
#include "Types.cuh"

// Numbers 4 counter ... 4 counter + 3 of a stream, each in [0, 1) with 24 bits.
DEVICE float4 philox(u64 seed, u64 stream, u64 counter)
{
    u32 c0 = (u32)counter, c1 = (u32)(counter >> 32), c2 = (u32)stream, c3 = (u32)(stream >> 32);
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
    #pragma unroll
    for (int round = 0; round < 10; round++)
    {
        u32 high0 = __umulhi(0xD2511F53u, c0), low0 = 0xD2511F53u * c0;
        u32 high1 = __umulhi(0xCD9E8D57u, c2), low1 = 0xCD9E8D57u * c2;
        c0 = high1 ^ c1 ^ k0;
        c1 = low1;
        c2 = high0 ^ c3 ^ k1;
        c3 = low0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    const float unit = 1.f / 16777216.f;
    return make_float4((c0 >> 8) * unit, (c1 >> 8) * unit, (c2 >> 8) * unit, (c3 >> 8) * unit);
}

DEVICE float component(float4 numbers, int i) { return i == 0 ? numbers.x : i == 1 ? numbers.y : i == 2 ? numbers.z : numbers.w; }
