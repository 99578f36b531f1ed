// What a block starts and waits for later: copies into shared memory and products of warp groups. Both take effect as late
// as the program allows, so that a missing wait reads what was there before.
#include "block.h"
#include <cstring>

namespace emulator
{
    void copyAsync(void* shared, const void* global, int bytes, bool isValid)
    {
        if (((uintptr_t)shared | (isValid ? (uintptr_t)global : 0)) % bytes) fail("cp.async: an address is not a multiple of the copy's size");
        currentFiber()->openCopies.push_back({shared, isValid ? global : nullptr, bytes});
    }

    void commitCopies()
    {
        Fiber* me = currentFiber();
        me->copyGroups.push_back(std::move(me->openCopies));
        me->openCopies.clear();
    }

    void waitForCopies(int groupsLeft)
    {
        Fiber* me = currentFiber();
        while ((int)me->copyGroups.size() > groupsLeft)
        {
            for (const PendingCopy& copy : me->copyGroups.front())
            {
                if (copy.from) memcpy(copy.to, copy.from, copy.bytes);
                else memset(copy.to, 0, copy.bytes);
            }
            me->copyGroups.pop_front();
        }
    }

    void whenNothingElseRuns(void (*run)(void*), const void* operand, int bytes)
    {
        std::vector<char> kept((const char*)operand, (const char*)operand + bytes);
        currentBlock()->lastResort.push_back([run, kept]() mutable { run(kept.data()); });
    }

    void queueGroupProduct(float* sums, const void* a, const void* b, GroupProduct run)
    {
        currentFiber()->openProducts.push_back({sums, a, b, run});
    }

    void commitGroupProducts()
    {
        Fiber* me = currentFiber();
        me->productGroups.push_back(std::move(me->openProducts));
        me->openProducts.clear();
    }

    void waitForGroupProducts(int groupsLeft)
    {
        BlockState* b = currentBlock();
        Fiber* me = currentFiber();
        int group = me->index / 128;
        size_t ready = (int)me->productGroups.size() > groupsLeft ? me->productGroups.size() - groupsLeft : 0;
        unsigned generation = b->groupGeneration[group];
        if (++b->groupArrived[group] < 128)
        {
            waitWhile(&b->groupGeneration[group], ~0u, generation, "wgmma wait");
        }
        else
        {
            // The last of the 128 threads carries out what must have ended; each of them brought its own part of the sums.
            Fiber* first = &b->fibers[group * 128];
            for (size_t g = 0; g < ready; g++)
            {
                for (size_t i = 0; i < first->productGroups[g].size(); i++)
                {
                    float* sums[128];
                    for (int t = 0; t < 128; t++)
                    {
                        if (g >= first[t].productGroups.size() || i >= first[t].productGroups[g].size()) fail("wgmma: the threads of a warp group started different products");
                        sums[t] = first[t].productGroups[g][i].sums;
                    }
                    const PendingProduct& product = first->productGroups[g][i];
                    product.run(sums, product.a, product.b);
                }
            }
            b->groupArrived[group] = 0;
            b->groupGeneration[group]++;
        }
        for (size_t i = 0; i < ready; i++) me->productGroups.pop_front();
    }
}
