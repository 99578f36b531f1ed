// Convolutions as matrix products: what they work on.
#pragma once
#include "GemmTile.cuh"

struct Volume
{
    int frames, height, width;
};

// A channels-last map x [batch, map, input] and a kernel with odd extents, each of its places a tap; zeros around the map.
struct Shape
{
    Volume map, kernel;
    i64 pixels;         // of all maps
    int input, output, taps;
};

// How far the pixel that a tap reads lies behind, along each axis.
DEVICE Volume tapOffset(const Volume& kernel, int tap)
{
    return Volume{
        tap / (kernel.width * kernel.height) - kernel.frames / 2, tap / kernel.width % kernel.height - kernel.height / 2, tap % kernel.width - kernel.width / 2};
}

// The same in pixels.
DEVICE i64 tapShift(const Shape& shape, int tap)
{
    Volume offset = tapOffset(shape.kernel, tap);
    return ((i64)offset.frames * shape.map.height + offset.height) * shape.map.width + offset.width;
}

// A bit for each tap that reads within the map.
DEVICE u32 tapsWithin(const Shape& shape, i64 pixel)
{
    if (pixel >= shape.pixels) return 0;
    int plane = shape.map.height * shape.map.width, place = (int)(pixel % ((i64)plane * shape.map.frames));
    int t = place / plane, y = place / shape.map.width % shape.map.height, x = place % shape.map.width;
    u32 bits = 0;
    for (int tap = 0; tap < shape.taps; tap++)
    {
        Volume offset = tapOffset(shape.kernel, tap);
        bool isWithin = t + offset.frames >= 0 && t + offset.frames < shape.map.frames && y + offset.height >= 0 && y + offset.height < shape.map.height
            && x + offset.width >= 0 && x + offset.width < shape.map.width;
        bits |= (u32)isWithin << tap;
    }
    return bits;
}
