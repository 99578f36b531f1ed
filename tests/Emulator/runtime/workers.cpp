#include "workers.h"
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <thread>
#include <vector>

namespace emulator
{
    namespace
    {
        struct Pool
        {
            std::mutex gate;
            std::condition_variable wake, finished;
            const std::function<void()>* work = nullptr;
            uint64_t generation = 0;
            unsigned busy = 0, count = 0;
        };

        // Signals of faults are handled on a stack of their own, for the fault may be that the stack has ended.
        void giveSignalStack()
        {
            stack_t stack{};
            stack.ss_size = 64 * 1024;
            stack.ss_sp = malloc(stack.ss_size);
            sigaltstack(&stack, nullptr);
        }

        void serve(Pool* pool)
        {
            giveSignalStack();
            uint64_t seen = 0;
            while (true)
            {
                const std::function<void()>* work;
                {
                    std::unique_lock<std::mutex> lock(pool->gate);
                    pool->wake.wait(lock, [&] { return pool->generation != seen; });
                    seen = pool->generation;
                    work = pool->work;
                }
                (*work)();
                std::lock_guard<std::mutex> lock(pool->gate);
                if (--pool->busy == 0) pool->finished.notify_one();
            }
        }

        // Never destroyed: its threads live to the end of the process.
        Pool* pool()
        {
            static Pool* instance = []
            {
                Pool* made = new Pool();
                made->count = std::max(1u, std::thread::hardware_concurrency()) - 1;
                for (unsigned i = 0; i < made->count; i++) std::thread(serve, made).detach();
                return made;
            }();
            return instance;
        }
    }

    void runOnWorkers(uint64_t pieces, const std::function<void()>& work)
    {
        Pool* p = pieces > 1 ? pool() : nullptr;
        if (!p || p->count == 0)
        {
            work();
            return;
        }
        {
            std::lock_guard<std::mutex> lock(p->gate);
            p->work = &work;
            p->busy = p->count;
            p->generation++;
        }
        p->wake.notify_all();
        work();
        std::unique_lock<std::mutex> lock(p->gate);
        p->finished.wait(lock, [&] { return p->busy == 0; });
    }
}
