// The shared memory of a block: full of NaNs when it starts, so that what is read before it was written shows.
#pragma once
#include "block.h"

namespace emulator
{
    // Room for the dynamic shared memory of the launches to come on this thread.
    void reserveDynamic(BlockState* b, size_t bytes);

    // Fills the shared memory, static and dynamic, with NaNs, and puts a canary behind the dynamic one.
    void fillShared(BlockState* b);

    // Sets the block's error if it wrote behind its dynamic shared memory.
    void checkShared(BlockState* b);
}
