// Layer normalisation over the channels of each row, y = gamma (x - mean) rstd + beta. A warp per row.
#include "Common.cuh"
#include "HalfType.cuh"

#define WARPS 8

// The launcher says if the result is to be rounded, for a product that would round it anyway.
#ifndef RESULT
#define RESULT float
#endif

struct Row
{
    i64 first;      // of the row's numbers
    i64 number;
    int lane;
};

DEVICE Row myRow(int channels)
{
    i64 number = globalThread() >> 5;
    return Row{number * channels, number, (int)(threadIdx.x & 31)};
}

// mean and rstd are written if they are given and not known yet; with known statistics they are read.
extern "C" __global__ void __launch_bounds__(WARPS * 32) layer_norm_forward(
    const float* x, const float* __restrict__ gamma, const float* __restrict__ beta, RESULT* y, float* mean, float* rstd, i64 rows, int channels, float eps, int knowsStatistics)
{
    Row row = myRow(channels);
    if (row.number >= rows) return;
    x += row.first;
    y += row.first;
    float average, scale;
    if (knowsStatistics)
    {
        average = mean[row.number];
        scale = rstd[row.number];
    }
    else
    {
        float sum = 0.f, squares = 0.f;
        for (int c = row.lane; c < channels; c += 32) sum += x[c];
        average = warpSum(sum) / channels;
        for (int c = row.lane; c < channels; c += 32) squares += (x[c] - average) * (x[c] - average);
        scale = 1.f / sqrtf(warpSum(squares) / channels + eps);
    }
    for (int c = row.lane; c < channels; c += 32) store(y[c], (x[c] - average) * scale * gamma[c] + beta[c]);
    if (row.lane == 0 && mean && !knowsStatistics)
    {
        mean[row.number] = average;
        rstd[row.number] = scale;
    }
}

// dx = rstd (g - mean(g) - n mean(g n)) with g = gamma dy and n the normalised x.
extern "C" __global__ void __launch_bounds__(WARPS * 32) layer_norm_backward_input(
    const float* __restrict__ x, const float* __restrict__ gamma, const float* __restrict__ mean, const float* __restrict__ rstd, const float* dy, float* dx, i64 rows, int channels)
{
    Row row = myRow(channels);
    if (row.number >= rows) return;
    x += row.first;
    dy += row.first;
    dx += row.first;
    float average = mean[row.number], scale = rstd[row.number], sum = 0.f, product = 0.f;
    for (int c = row.lane; c < channels; c += 32)
    {
        float g = gamma[c] * dy[c];
        sum += g;
        product += g * (x[c] - average) * scale;
    }
    sum = warpSum(sum) / channels;
    product = warpSum(product) / channels;
    for (int c = row.lane; c < channels; c += 32)
        dx[c] = scale * (gamma[c] * dy[c] - sum - (x[c] - average) * scale * product);
}

// Sums of dy n and dy over rowsPerChunk rows: a block per 32 channels and chunk, partials [chunk][2][channels].
extern "C" __global__ void __launch_bounds__(WARPS * 32) layer_norm_backward_parameters(
    const float* __restrict__ x, const float* __restrict__ mean, const float* __restrict__ rstd, const float* __restrict__ dy, float* partials, i64 rows, int channels, int rowsPerChunk)
{
    __shared__ float gammas[WARPS][33], betas[WARPS][33];
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, c = blockIdx.x * 32 + lane;
    i64 first = (i64)blockIdx.y * rowsPerChunk, last = min(rows, first + rowsPerChunk);
    float dGamma = 0.f, dBeta = 0.f;
    if (c < channels)
    {
        for (i64 row = first + warp; row < last; row += WARPS)
        {
            float d = dy[row * channels + c];
            dGamma += d * (x[row * channels + c] - mean[row]) * rstd[row];
            dBeta += d;
        }
    }
    gammas[warp][lane] = dGamma;
    betas[warp][lane] = dBeta;
    __syncthreads();
    if (warp != 0 || c >= channels) return;
    dGamma = dBeta = 0.f;
    for (int w = 0; w < WARPS; w++)
    {
        dGamma += gammas[w][lane];
        dBeta += betas[w][lane];
    }
    partials[(i64)blockIdx.y * 2 * channels + c] = dGamma;
    partials[((i64)blockIdx.y * 2 + 1) * channels + c] = dBeta;
}

// Adds up the chunks in their order.
extern "C" __global__ void __launch_bounds__(256) layer_norm_add_chunks(const float* __restrict__ partials, int chunks, float* dGamma, float* dBeta, int channels)
{
    int i = (int)globalThread();
    if (i >= 2 * channels) return;
    float sum = 0.f;
    for (int chunk = 0; chunk < chunks; chunk++) sum += partials[(i64)chunk * 2 * channels + i];
    if (i < channels) dGamma[i] = sum;
    else dBeta[i - channels] = sum;
}
