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

    void fenceGroupProducts() { currentFiber()->isFenced = true; }

    void queueGroupProduct(float* sums, const void* a, const void* b, GroupProduct run)
    {
        if (!currentFiber()->isFenced) fail("wgmma: no wgmma.fence since the threads could touch sums and fragments");
        currentFiber()->openProducts.push_back({sums, a, b, run});
    }

    void commitGroupProducts()
    {
        Fiber* me = currentFiber();
        me->productGroups.push_back(std::move(me->openProducts));
        me->openProducts.clear();
    }

    // Carries out a product of a warp group; each thread brought its own part of the sums.
    static void runProduct(const Fiber* first, size_t group, size_t number)
    {
        float* sums[128];
        const void* a[128];
        for (int t = 0; t < 128; t++)
        {
            if (group >= first[t].productGroups.size() || number >= first[t].productGroups[group].size()) fail("wgmma: the threads of a warp group started different products");
            sums[t] = first[t].productGroups[group][number].sums;
            a[t] = first[t].productGroups[group][number].a;
            if (first[t].productGroups[group][number].b != first->productGroups[group][number].b) fail("wgmma: the threads of a warp group bring different tiles");
        }
        const PendingProduct& product = first->productGroups[group][number];
        product.run(sums, a, product.b);
    }

    void waitForGroupProducts(int groupsLeft)
    {
        BlockState* b = currentBlock();
        Fiber* me = currentFiber();
        int group = me->index / 128;
        size_t ready = (int)me->productGroups.size() > groupsLeft ? me->productGroups.size() - groupsLeft : 0;
        me->isFenced = false;
        unsigned generation = b->groupGeneration[group];
        if (++b->groupArrived[group] < 128)
        {
            waitWhile(&b->groupGeneration[group], ~0u, generation, "wgmma wait");
        }
        else
        {
            // The last of the 128 threads carries out what must have ended.
            const Fiber* first = &b->fibers[group * 128];
            for (size_t g = 0; g < ready; g++)
                for (size_t i = 0; i < first->productGroups[g].size(); i++) runProduct(first, g, i);
            b->groupArrived[group] = 0;
            b->groupGeneration[group]++;
        }
        for (size_t i = 0; i < ready; i++) me->productGroups.pop_front();
    }
}
