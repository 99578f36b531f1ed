// Attention within shifted windows, forward: blockIdx = (sample windows + window, head, part of the queries).
#include "WindowAttention.cuh"

extern "C" __global__ void __launch_bounds__(256) window_attention_forward(
    const float* __restrict__ qkv, const float* __restrict__ qkvBias, const float* __restrict__ biasTable, float* y, Geometry g)
{
    extern __shared__ float table[];
    __shared__ __align__(16) float rows[2][ROWS][STRIDE];
    __shared__ Others others;
    int windows = g.across.frames * g.across.height * g.across.width, window = blockIdx.x % windows, channels = g.heads * g.headDim;
    i64 sample = blockIdx.x / windows;
    loadTable(g, biasTable, table);
    Token mine = tokenAt(g, window, blockIdx.z * blockDim.x + threadIdx.x);
    float query[HEAD_DIM], unused = 0.f;
    gatherOwn(g, sourceOf(g, qkv, qkvBias, sample, 0), mine.place, g.scale, others.places, rows[0], query);
    Softmax softmax;
    attend(g, window, sourceOf(g, qkv, qkvBias, sample, 1), sourceOf(g, qkv, qkvBias, sample, 2), query, mine, table, others, rows, softmax);
    // A query that padding has asks for nothing.
    scatterOwn(g, y + sample * g.tokens * channels + blockIdx.y * g.headDim, channels, mine.place, 1.f / softmax.total, others.places, rows[0], softmax.sums, unused);
}
