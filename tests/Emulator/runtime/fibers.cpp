#include "block.h"
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <sys/mman.h>
#include "shared_memory.h"
#include "workers.h"

#if !defined(__x86_64__)
#error "the emulator switches stacks in x86-64 code"
#endif

// Saves what a function must preserve and the stack pointer, and goes on where the other stack left off.
extern "C" void emulatorSwitch(void** save, void* to);
asm(".text\n.type emulatorSwitch,@function\nemulatorSwitch:\n"
    "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
    "  movq %rsp, (%rdi)\n  movq %rsi, %rsp\n"
    "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n  ret\n");

namespace emulator
{
    __thread Thread* thread;
    __thread Block* block;

    static std::atomic<Order> order{Order::Forward};

    void setOrder(Order value) { order = value; }

    static bool isRunnable(Fiber& fiber)
    {
        if (fiber.isDone || (fiber.waitsFor && (*fiber.waitsFor & fiber.bits) == fiber.value)) return false;
        fiber.waitsFor = nullptr;
        return true;
    }

    // The next thread that can run, in this block's order behind the given position; null if none can.
    static Fiber* next(BlockState* b, unsigned from)
    {
        while (true)
        {
            if (order >= Order::WarpByWarp)
            {
                unsigned first = b->order[from] & ~31u;
                for (unsigned i = first; i < first + 32 && i < b->threads; i++)
                    if (isRunnable(b->fibers[i])) return &b->fibers[i];
            }
            for (unsigned i = 1; i <= b->threads; i++)
            {
                unsigned at = from + i < b->threads ? from + i : from + i - b->threads;
                if (isRunnable(b->fibers[b->order[at]])) return &b->fibers[b->order[at]];
            }
            if (b->lastResort.empty()) return nullptr;
            auto pending = std::move(b->lastResort);
            b->lastResort.clear();
            for (auto& run : pending) run();
        }
    }

    static void switchTo(Fiber* from, Fiber* to)
    {
        if (from == to) return;
        BlockState* b = currentBlock();
        thread = to;
        emulatorSwitch(from ? &from->stackPointer : &b->schedulerStack, to ? to->stackPointer : b->schedulerStack);
        thread = from;
    }

    static void setError(const std::string& error)
    {
        BlockState* b = currentBlock();
        Fiber* fiber = currentFiber();
        if (!b->error.empty()) return;
        char place[160];
        snprintf(place, sizeof place, "block (%u,%u,%u), thread %d: ", b->index.x, b->index.y, b->index.z, fiber ? fiber->index : -1);
        b->error = place + error;
    }

    void fail(const char* message)
    {
        setError(message);
        switchTo(currentFiber(), nullptr);
        __builtin_unreachable();
    }

    static void failStuck()
    {
        BlockState* b = currentBlock();
        Fiber* example = nullptr;
        unsigned waiting = 0;
        for (unsigned i = 0; i < b->threads; i++)
        {
            if (b->fibers[i].isDone) continue;
            waiting++;
            if (!example) example = &b->fibers[i];
        }
        char text[300];
        snprintf(text, sizeof text, "deadlock: %u of %u threads wait for ever, thread %d at %s", waiting, b->threads, example->index, example->place ? example->place : "?");
        setError(text);
    }

    void waitWhile(const volatile unsigned* address, unsigned bits, unsigned value, const char* what)
    {
        if ((*address & bits) != value) return;
        Fiber* me = currentFiber();
        BlockState* b = currentBlock();
        me->waitsFor = address;
        me->bits = bits;
        me->value = value;
        me->place = what;
        Fiber* other = next(b, b->position[me->index]);
        if (!other) failStuck();
        switchTo(me, other);
    }

    void barrier(int number, unsigned count, const char* what)
    {
        BlockState* b = currentBlock();
        unsigned generation = b->generation[number];
        if (++b->arrived[number] >= count)
        {
            b->arrived[number] = 0;
            b->generation[number]++;
            return;
        }
        waitWhile(&b->generation[number], ~0u, generation, what);
    }

    void collective(unsigned mask, void* operand, const char* what, void (*combine)(void**, unsigned))
    {
        Fiber* me = currentFiber();
        Warp* warp = me->warp;
        if (!(mask >> me->lane & 1)) fail("a thread calls a warp operation whose mask leaves it out");
        warp->operands[me->lane] = operand;
        size_t at = 0;
        while (at < warp->collectives.size() && warp->collectives[at].mask != mask) at++;
        if (at == MostMasks) fail("a warp uses more than 64 different masks");
        if (at == warp->collectives.size()) warp->collectives.push_back({mask, 0, 0, what});
        Collective& mine = warp->collectives[at];
        if (mine.arrived && strcmp(mine.what, what)) fail("lanes of one mask meet at different warp operations");
        mine.what = what;
        mine.arrived |= 1u << me->lane;
        unsigned expected = mask & warp->running;
        if ((mine.arrived & expected) == expected)
        {
            mine.arrived = 0;
            combine(warp->operands, expected);
            warp->collectives[at].generation++;
            return;
        }
        // The vector keeps its room for a block (see prepare), so the address holds.
        waitWhile(&mine.generation, ~0u, mine.generation, what);
    }

    static void fiberMain()
    {
        BlockState* b = currentBlock();
        b->request->kernel->run(b->request->arguments);
        Fiber* me = currentFiber();
        me->isDone = true;
        me->warp->running &= ~(1u << me->lane);
        b->running--;
        Fiber* other = next(b, b->position[me->index]);
        if (!other && b->running) failStuck();
        switchTo(me, other);
        __builtin_trap();
    }

    static char* newStack()
    {
        // The lowest page stays forbidden: a stack that is too small is a fault of its launch.
        char* memory = (char*)mmap(nullptr, StackBytes + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        mprotect(memory, 4096, PROT_NONE);
        return memory + 4096;
    }

    static void prepareOrder(BlockState* b)
    {
        unsigned n = b->threads;
        b->order.resize(n);
        b->position.resize(n);
        bool backward = order == Order::Backward || order == Order::WarpByWarpFromTheLast;
        for (unsigned i = 0; i < n; i++) b->order[i] = backward ? n - 1 - i : i;
        if (order == Order::Shuffled)
        {
            unsigned state = 12345 + b->index.x * 7919 + b->index.y * 104729;
            for (unsigned i = n - 1; i > 0; i--)
            {
                state = state * 1664525 + 1013904223;
                std::swap(b->order[i], b->order[(state >> 8) % (i + 1)]);
            }
        }
        for (unsigned i = 0; i < n; i++) b->position[b->order[i]] = i;
    }

    static void prepareFiber(BlockState* b, unsigned i)
    {
        Fiber& fiber = b->fibers[i];
        fiber.id = dim3(i % b->size.x, i / b->size.x % b->size.y, i / (b->size.x * b->size.y));
        fiber.index = (int)i;
        fiber.lane = (int)(i & 31);
        fiber.warp = &b->warps[i >> 5];
        fiber.isDone = false;
        fiber.waitsFor = nullptr;
        fiber.place = nullptr;
        fiber.openCopies.clear();
        fiber.copyGroups.clear();
        fiber.openProducts.clear();
        fiber.productGroups.clear();
        fiber.isFenced = false;
        if (!fiber.stack) fiber.stack = newStack();
        // Stacks begin at different lines of the cache. The function starts as if called: the stack is 8 off a multiple of 16.
        void** sp = (void**)(fiber.stack + StackBytes - 64 * (i & 15));
        *--sp = nullptr;
        *--sp = (void*)&fiberMain;
        for (int k = 0; k < 6; k++) *--sp = nullptr;
        fiber.stackPointer = sp;
    }

    static void prepare(BlockState* b)
    {
        unsigned n = b->threads;
        b->running = n;
        b->error.clear();
        b->lastResort.clear();
        memset(b->arrived, 0, sizeof b->arrived);
        memset(b->groupArrived, 0, sizeof b->groupArrived);
        if (b->fibers.size() < n) b->fibers.resize(MostThreads);
        if (b->warps.empty()) b->warps.resize(MostThreads / 32);
        prepareOrder(b);
        for (unsigned w = 0; w * 32 < n; w++)
        {
            unsigned lanes = std::min(32u, n - w * 32);
            b->warps[w].running = lanes == 32 ? ~0u : (1u << lanes) - 1;
            b->warps[w].collectives.clear();
            b->warps[w].collectives.reserve(MostMasks);
        }
        for (unsigned i = 0; i < n; i++) prepareFiber(b, i);
        fillShared(b);
    }

    // Runs one block on the calling thread.
    static void runBlock(BlockState* b)
    {
        prepare(b);
        block = b;
        switchTo(nullptr, &b->fibers[b->order[0]]);
        thread = nullptr;
        if (b->error.empty()) checkShared(b);
        block = nullptr;
    }

    std::string launch(const LaunchRequest& request)
    {
        uint64_t total = (uint64_t)request.grid.x * request.grid.y * request.grid.z;
        unsigned threads = request.size.x * request.size.y * request.size.z;
        std::atomic<uint64_t> at{0};
        std::atomic<bool> failed{false};
        std::mutex gate;
        std::string error;
        auto work = [&]
        {
            static thread_local BlockState* state = new BlockState();
            state->request = &request;
            state->size = request.size;
            state->grid = request.grid;
            state->threads = threads;
            reserveDynamic(state, request.dynamicSharedBytes);
            for (uint64_t i; !failed && (i = at++) < total;)
            {
                state->index = dim3(i % request.grid.x, i / request.grid.x % request.grid.y, i / ((uint64_t)request.grid.x * request.grid.y));
                runBlock(state);
                if (state->error.empty()) continue;
                std::lock_guard<std::mutex> lock(gate);
                if (!failed.exchange(true)) error = state->error;
            }
        };
        // Few threads in all are not worth waking others up.
        runOnWorkers(total > 1 && total * threads >= 2048 ? total : 1, work);
        return error.empty() ? "" : std::string(request.kernel->name) + ": " + error;
    }
}
