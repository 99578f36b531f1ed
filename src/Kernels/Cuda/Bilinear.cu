// Bilinear interpolation of channels-last maps with aligned corners.
#include "Pixels.cuh"

// Where an output pixel lies: at i (inputs - 1) / (outputs - 1), found with integers, so that it is exact for every size.
struct Corners
{
    int first, second;
    float fraction;     // the weight of second
};

DEVICE Corners cornersOf(int i, int inputs, int outputs)
{
    if (outputs == 1) return Corners{0, 0, 0.f};
    i64 numerator = (i64)i * (inputs - 1);
    int first = (int)(numerator / (outputs - 1)), rest = (int)(numerator % (outputs - 1));
    return Corners{first, min(first + 1, inputs - 1), rest / (float)(outputs - 1)};
}

// The first output pixel whose first corner is at least input.
DEVICE int firstOutputAt(int input, int inputs, int outputs)
{
    if (input <= 0) return 0;
    if (input > inputs - 1 || outputs == 1) return outputs;
    return (int)(((i64)input * (outputs - 1) + inputs - 2) / (inputs - 1));
}

// How much of input goes into the output pixel whose corners are given.
DEVICE float weightOf(int input, const Corners& corners)
{
    return (corners.first == input ? 1.f - corners.fraction : 0.f) + (corners.second == input ? corners.fraction : 0.f);
}

// Pixel (row, column) of sample `sample` of a map of so many rows and columns.
struct Pixel
{
    int row, column;
    i64 sample;
};

DEVICE Pixel pixelAt(i64 i, int height, int width)
{
    i64 row = i / width;
    return Pixel{(int)(row % height), (int)(i - row * width), row / height};
}

DEVICE float interpolate(const float* map, int w, int channels, const Corners& rows, const Corners& columns)
{
    const float *above = map + (i64)rows.first * w * channels, *below = map + (i64)rows.second * w * channels;
    float up = 1.f - rows.fraction, left = 1.f - columns.fraction;
    float first = above[(i64)columns.first * channels] * up + below[(i64)columns.first * channels] * rows.fraction;
    float second = above[(i64)columns.second * channels] * up + below[(i64)columns.second * channels] * rows.fraction;
    return first * left + second * columns.fraction;
}

// x [batch, h, w, channels] to y [batch, height, width, yStride].
extern "C" __global__ void __launch_bounds__(256) bilinear_forward(const float* __restrict__ x, int batch, int h, int w, int channels, float* y, int height, int width, int yStride, int lanes)
{
    i64 pixel = myPixel(lanes);
    if (pixel >= (i64)batch * height * width) return;
    Pixel at = pixelAt(pixel, height, width);
    Corners rows = cornersOf(at.row, h, height), columns = cornersOf(at.column, w, width);
    x += at.sample * h * w * channels;
    for (int c = myChannel(lanes); c < channels; c += lanes) y[pixel * yStride + c] = interpolate(x + c, w, channels, rows, columns);
}

// Each input pixel gathers from the outputs that read it, row by row: dy [batch, height, width, dyStride] to dx [batch, h, w, channels].
extern "C" __global__ void __launch_bounds__(256) bilinear_backward(const float* __restrict__ dy, int dyStride, int batch, int h, int w, int channels, float* dx, int height, int width, int lanes)
{
    i64 pixel = myPixel(lanes);
    if (pixel >= (i64)batch * h * w) return;
    Pixel at = pixelAt(pixel, h, w);
    int top = firstOutputAt(at.row - 1, h, height), bottom = firstOutputAt(at.row + 1, h, height);
    int start = firstOutputAt(at.column - 1, w, width), end = firstOutputAt(at.column + 1, w, width);
    dy += at.sample * height * width * dyStride;
    for (int c = myChannel(lanes); c < channels; c += lanes)
    {
        float sum = 0.f;
        for (int row = top; row < bottom; row++)
        {
            float along = 0.f;
            for (int column = start; column < end; column++)
                along = fmaf(weightOf(at.column, cornersOf(column, w, width)), dy[((i64)row * width + column) * dyStride + c], along);
            sum = fmaf(weightOf(at.row, cornersOf(row, h, height)), along, sum);
        }
        dx[pixel * channels + c] = sum;
    }
}

// 1 where the second of two interpolated logits is the larger one.
extern "C" __global__ void __launch_bounds__(256) bilinear_mask(const float* __restrict__ logits, int batch, int h, int w, u8* mask, int height, int width)
{
    i64 pixel = globalThread();
    if (pixel >= (i64)batch * height * width) return;
    Pixel at = pixelAt(pixel, height, width);
    Corners rows = cornersOf(at.row, h, height), columns = cornersOf(at.column, w, width);
    logits += at.sample * h * w * 2;
    mask[pixel] = interpolate(logits + 1, w, 2, rows, columns) > interpolate(logits, w, 2, rows, columns);
}

// The same channels of another array: from [pixels, fromStride] to [pixels, toStride].
extern "C" __global__ void __launch_bounds__(256) channels_copy(const float* __restrict__ from, int fromStride, float* to, int toStride, i64 pixels, int channels, int lanes)
{
    i64 pixel = myPixel(lanes);
    if (pixel >= pixels) return;
    for (int c = myChannel(lanes); c < channels; c += lanes) to[pixel * toStride + c] = from[pixel * fromStride + c];
}
