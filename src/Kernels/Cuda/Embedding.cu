// Rows of a table by their numbers, and the gradient of the table.
#include "Common.cuh"

// y[i] = table[ids[i]], a block per id. A number that is no row gives not-a-numbers: an error would have to wait for the host.
extern "C" __global__ void __launch_bounds__(128) embedding_forward(const float* __restrict__ table, const i64* __restrict__ ids, float* y, int rows, int channels)
{
    i64 id = ids[blockIdx.x];
    bool exists = id >= 0 && id < rows;
    y += (i64)blockIdx.x * channels;
    for (int c = threadIdx.x; c < channels; c += 128) y[c] = exists ? table[id * channels + c] : __int_as_float(0x7FC00000);
}

// dTable[id] = the sum of dy over the places of id, in their order: a block per place, of which the first of each id works.
extern "C" __global__ void __launch_bounds__(128) embedding_backward(const float* __restrict__ dy, const i64* __restrict__ ids, float* dTable, i64 count, int rows, int channels, i64 padding)
{
    i64 place = blockIdx.x, id = ids[place];
    int isRepeated = id < 0 || id >= rows || id == padding;
    for (i64 i = threadIdx.x; i < place; i += 128) isRepeated |= ids[i] == id;
    if (__syncthreads_or(isRepeated)) return;
    for (int c = threadIdx.x; c < channels; c += 128)
    {
        float sum = 0.f;
        for (i64 i = place; i < count; i++)
            if (ids[i] == id) sum += dy[i * channels + c];
        dTable[id * channels + c] = sum;
    }
}
