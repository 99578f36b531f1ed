// Runs the blocks of a launch: one block at a time on a thread of the system, its CUDA threads as fibers that switch where
// they wait for each other.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>
#include "../include/emulator.h"

namespace emulator
{
    // In which order the threads of a block run where CUDA leaves it open.
    enum class Order { Forward, Backward, Shuffled, WarpByWarp, WarpByWarpFromTheLast };

    struct LaunchRequest
    {
        const Kernel* kernel;
        dim3 grid, size;
        size_t dynamicSharedBytes;
        void** arguments;
    };

    void setOrder(Order order);

    // Runs all blocks; an empty text, or what went wrong first.
    std::string launch(const LaunchRequest& request);

    // From here on a wrong address in a kernel is an error of its launch and not the end of the process.
    void catchFaults();
}
