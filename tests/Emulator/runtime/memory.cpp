#include "device.h"
#include <cstring>
#include <sys/mman.h>

namespace emulator
{
    namespace
    {
        // Read as float32, bfloat16 or float16 the canary is not a number either.
        constexpr uint32_t Canary = 0xFFA5FFA5;
        constexpr size_t Front = 256, Page = 4096;

        // What no access may touch on either side of a block: an access far beyond a buffer is an illegal address, as on a
        // GPU, and does not reach the memory of this process.
        constexpr size_t Guard = 64 << 20;

        struct Allocation { size_t bytes, mapped; int device; };

        std::map<uint64_t, Allocation> allocations;
        size_t inUse[MostDevices];
        std::string lastKernel = "no kernel";
        bool ranSinceCheck;

        bool isWhole(uint64_t address, const Allocation& a)
        {
            const char* front = (const char*)address - Front;
            for (size_t i = 0; i < Front; i += 4)
                if (memcmp(front + i, &Canary, 4)) return false;
            // Behind the last byte the pattern goes on from the next multiple of four.
            const char *at = (const char*)address + (a.bytes + 3) / 4 * 4, *end = (const char*)address - Front + a.mapped;
            for (; at < end; at += 4)
                if (memcmp(at, &Canary, 4)) return false;
            return true;
        }
    }

    char* mapGuarded(size_t bytes)
    {
        char* range = (char*)mmap(nullptr, bytes + 2 * Guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (range == MAP_FAILED) return nullptr;
        if (!mprotect(range + Guard, bytes, PROT_READ | PROT_WRITE)) return range + Guard;
        munmap(range, bytes + 2 * Guard);
        return nullptr;
    }

    void unmapGuarded(char* memory, size_t bytes) { munmap(memory - Guard, bytes + 2 * Guard); }

    Result allocate(uint64_t* address, size_t bytes, int device)
    {
        if (!bytes) return InvalidValue;
        if (inUse[device] + bytes > memoryOf(device)) return OutOfMemory;
        size_t mapped = (bytes + Front + 256 + Page - 1) / Page * Page;
        char* memory = mapGuarded(mapped);
        if (!memory) return OutOfMemory;
        for (size_t i = 0; i < Front; i += 4) memcpy(memory + i, &Canary, 4);
        memset(memory + Front, 0xFF, bytes);
        for (size_t i = Front + (bytes + 3) / 4 * 4; i < mapped; i += 4) memcpy(memory + i, &Canary, 4);
        *address = (uint64_t)memory + Front;
        allocations[*address] = {bytes, mapped, device};
        inUse[device] += bytes;
        return Success;
    }

    Result release(uint64_t address)
    {
        auto found = allocations.find(address);
        if (found == allocations.end()) return failWith(InvalidValue, "memory is given back that is not in use");
        Result result = isWhole(address, found->second) ? Success : failWith(IllegalAddress, "a kernel wrote beyond a buffer; the last was " + lastKernel);
        inUse[found->second.device] -= found->second.bytes;
        unmapGuarded((char*)address - Front, found->second.mapped);
        allocations.erase(found);
        return result;
    }

    void refillWithNans(uint64_t address)
    {
        auto found = allocations.find(address);
        if (found != allocations.end()) memset((void*)address, 0xFF, found->second.bytes);
    }

    bool isWithin(uint64_t address, size_t bytes)
    {
        auto behind = allocations.upper_bound(address);
        if (behind == allocations.begin()) return false;
        --behind;
        return address + bytes <= behind->first + behind->second.bytes;
    }

    int deviceOf(uint64_t address)
    {
        auto behind = allocations.upper_bound(address);
        return behind == allocations.begin() ? -1 : std::prev(behind)->second.device;
    }

    size_t bytesInUse(int device) { return inUse[device]; }

    void kernelRan(const std::string& name)
    {
        lastKernel = name;
        ranSinceCheck = true;
    }

    Result checkCanaries()
    {
        if (!ranSinceCheck) return Success;
        ranSinceCheck = false;
        for (auto& [address, allocation] : allocations)
        {
            if (isWhole(address, allocation)) continue;
            // Whole again, so that one fault is reported once.
            char* front = (char*)address - Front;
            for (size_t i = 0; i < Front; i += 4) memcpy(front + i, &Canary, 4);
            for (size_t i = Front + (allocation.bytes + 3) / 4 * 4; i < allocation.mapped; i += 4) memcpy(front + i, &Canary, 4);
            return failWith(IllegalAddress, "a kernel wrote beyond a buffer; the last was " + lastKernel);
        }
        return Success;
    }
}
