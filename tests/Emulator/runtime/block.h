// The state of a block while it runs; shared by the files of the runtime that deal with threads.
#pragma once
#include <deque>
#include <functional>
#include "fibers.h"

namespace emulator
{
    constexpr int MostThreads = 1024, MostMasks = 64, StackBytes = 64 * 1024, CanaryBytes = 4096, LargestShared = 227 * 1024, Barriers = 16;

    struct PendingCopy { void* to; const void* from; int bytes; };
    struct PendingProduct { float* sums; const void *a, *b; GroupProduct run; };

    // One collective operation that is under way among the lanes of a mask.
    struct Collective { unsigned mask, arrived, generation; const char* what; };

    struct Warp
    {
        unsigned running;
        void* operands[32];
        std::vector<Collective> collectives;
    };

    struct Fiber : Thread
    {
        Warp* warp;
        bool isDone;
        const volatile unsigned* waitsFor; // not runnable while (*waitsFor & bits) == value
        unsigned bits, value;
        const char* place;                 // where it waits, for messages
        void* stackPointer;
        char* stack;
        std::vector<PendingCopy> openCopies;
        std::deque<std::vector<PendingCopy>> copyGroups;
        std::vector<PendingProduct> openProducts;
        std::deque<std::vector<PendingProduct>> productGroups;
        bool isFenced;                     // no wait since the last fence of products
    };

    struct BlockState : Block
    {
        unsigned threads = 0, running = 0;
        size_t dynamicRoom = 0;
        unsigned arrived[Barriers], generation[Barriers];
        unsigned groupArrived[MostThreads / 128], groupGeneration[MostThreads / 128];
        std::vector<Fiber> fibers;
        std::vector<Warp> warps;
        std::vector<int> order, position; // order[position[i]] == i
        std::vector<std::function<void()>> lastResort;
        void* schedulerStack = nullptr;
        const LaunchRequest* request = nullptr;
        std::string error;
    };

    inline BlockState* currentBlock() { return static_cast<BlockState*>(block); }
    inline Fiber* currentFiber() { return static_cast<Fiber*>(thread); }
}
