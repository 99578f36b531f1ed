// Pictures cut into patches, and 2x2 neighbourhoods put side by side; the gradients are the same copies backwards.
#include "Pixels.cuh"

// Number i of the patches [batch, rows columns, channels patch patch] and where it lies in planes [batch, channels, height, width].
struct PatchElement
{
    i64 offset;
    bool isInside;
};

DEVICE PatchElement patchElement(i64 i, int channels, int height, int width, int patch)
{
    int rows = (height + patch - 1) / patch, columns = (width + patch - 1) / patch, length = channels * patch * patch;
    i64 number = i / length;
    int within = (int)(i - number * length), c = within / (patch * patch), sample = (int)(number / (rows * columns)), place = (int)(number - (i64)sample * rows * columns);
    int row = place / columns * patch + within / patch % patch, column = place % columns * patch + within % patch;
    return PatchElement{(((i64)sample * channels + c) * height + row) * width + column, row < height && column < width};
}

extern "C" __global__ void __launch_bounds__(256) patches_forward(const float* __restrict__ x, float* y, i64 n, int channels, int height, int width, int patch)
{
    i64 i = globalThread();
    if (i >= n) return;
    PatchElement element = patchElement(i, channels, height, width, patch);
    y[i] = element.isInside ? x[element.offset] : 0.f;
}

extern "C" __global__ void __launch_bounds__(256) patches_backward(const float* __restrict__ dy, float* dx, i64 n, int channels, int height, int width, int patch)
{
    i64 i = globalThread();
    if (i >= n) return;
    PatchElement element = patchElement(i, channels, height, width, patch);
    if (element.isInside) dx[element.offset] = dy[i];
}

// Part i of the merged tokens [batch, rows columns, 4, channels] and the token of the map [batch, height, width, channels] that it is.
struct Neighbour
{
    i64 token;
    bool isInside;
};

DEVICE Neighbour neighbourAt(i64 i, int height, int width)
{
    int rows = (height + 1) / 2, columns = (width + 1) / 2, part = (int)(i & 3);
    i64 merged = i >> 2, sample = merged / (rows * columns);
    int place = (int)(merged - sample * rows * columns), row = place / columns * 2 + (part & 1), column = place % columns * 2 + (part >> 1);
    return Neighbour{(sample * height + row) * width + column, row < height && column < width};
}

extern "C" __global__ void __launch_bounds__(256) merge_forward(const float* __restrict__ x, float* y, i64 parts, int height, int width, int channels, int lanes)
{
    i64 part = myPixel(lanes);
    if (part >= parts) return;
    Neighbour from = neighbourAt(part, height, width);
    for (int c = myChannel(lanes); c < channels; c += lanes) y[part * channels + c] = from.isInside ? x[from.token * channels + c] : 0.f;
}

extern "C" __global__ void __launch_bounds__(256) merge_backward(const float* __restrict__ dy, float* dx, i64 parts, int height, int width, int channels, int lanes)
{
    i64 part = myPixel(lanes);
    if (part >= parts) return;
    Neighbour to = neighbourAt(part, height, width);
    if (!to.isInside) return;
    for (int c = myChannel(lanes); c < channels; c += lanes) dx[to.token * channels + c] = dy[part * channels + c];
}
