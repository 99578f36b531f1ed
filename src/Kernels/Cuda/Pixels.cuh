// Maps with their channels last: the channels of a pixel are shared out among `lanes` neighbouring threads of a block.
#pragma once
#include "Common.cuh"

// The pixel of this thread, of as many as the whole grid has room for.
DEVICE i64 myPixel(int lanes) { return globalThread() / lanes; }

// The first channel of this thread; the next one lies `lanes` behind it. lanes is a power of two.
DEVICE int myChannel(int lanes) { return threadIdx.x & (lanes - 1); }
