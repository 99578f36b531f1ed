// The largest value of each neighbourhood of a map [batch, height, width, channels], stride 1, clipped at the borders.
#include "Pixels.cuh"

// winners: the index of the first of the largest values, row by row.
extern "C" __global__ void __launch_bounds__(256) max_pool_forward(const float* __restrict__ x, i64 n, int height, int width, int channels, int size, float* y, i64* winners)
{
    i64 i = globalThread();
    if (i >= n) return;
    i64 pixel = i / channels, line = pixel / width;
    int column = (int)(pixel - line * width), row = (int)(line % height), reach = size / 2;
    float largest = -__int_as_float(0x7F800000);
    i64 winner = -1;
    for (int down = -min(reach, row); down <= min(reach, height - 1 - row); down++)
        for (int right = -min(reach, column); right <= min(reach, width - 1 - column); right++)
        {
            i64 at = i + ((i64)down * width + right) * channels;
            // Not-a-numbers win, as in PyTorch.
            if (winner < 0 || x[at] > largest || x[at] != x[at])
            {
                largest = x[at];
                winner = at;
            }
        }
    y[i] = largest;
    winners[i] = winner;
}

// Each element gathers from the neighbourhoods that it has won, row by row.
extern "C" __global__ void __launch_bounds__(256) max_pool_backward(const float* __restrict__ dy, const i64* __restrict__ winners, i64 n, int height, int width, int channels, int size, float* dx)
{
    i64 i = globalThread();
    if (i >= n) return;
    i64 pixel = i / channels, line = pixel / width;
    int column = (int)(pixel - line * width), row = (int)(line % height), reach = size / 2;
    float sum = 0.f;
    for (int down = -min(reach, row); down <= min(reach, height - 1 - row); down++)
        for (int right = -min(reach, column); right <= min(reach, width - 1 - column); right++)
        {
            i64 at = i + ((i64)down * width + right) * channels;
            if (winners[at] == i) sum += dy[at];
        }
    dx[i] = sum;
}
