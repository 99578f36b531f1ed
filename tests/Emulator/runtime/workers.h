// Threads of the system that share the blocks of a launch.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>

namespace emulator
{
    // Runs work on the calling thread and, if there are several pieces, on the others; returns when all have ended.
    void runOnWorkers(uint64_t pieces, const std::function<void()>& work);
}
