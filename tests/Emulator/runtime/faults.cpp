// A wrong address, a division by zero or a trap in a kernel ends its launch with a message; elsewhere the signal goes to
// whoever handled it before.
#include "block.h"
#include <csignal>
#include <cstdio>
#include <ucontext.h>

namespace emulator
{
    namespace
    {
        struct sigaction before[65];
        __thread char faultText[120];

        void failFromFault() { fail(faultText); }

        void handle(int signal, siginfo_t* info, void* context)
        {
            if (Fiber* fiber = currentFiber())
            {
                const char* what = signal == SIGSEGV || signal == SIGBUS ? "illegal address" : signal == SIGFPE ? "integer division by zero" : "illegal instruction";
                snprintf(faultText, sizeof faultText, "%s %p", what, info->si_addr);
                // Go on in failFromFault, at the fresh end of the fiber's stack: nothing returns to what is on it.
                greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
                registers[REG_RSP] = (greg_t)(fiber->stack + StackBytes - 2048 - 8);
                registers[REG_RIP] = (greg_t)&failFromFault;
                return;
            }
            struct sigaction& old = before[signal];
            if (old.sa_flags & SA_SIGINFO) old.sa_sigaction(signal, info, context);
            else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN) old.sa_handler(signal);
            else
            {
                sigaction(signal, &old, nullptr);
                raise(signal);
            }
        }
    }

    void catchFaults()
    {
        static bool isDone = false;
        if (isDone) return;
        isDone = true;
        struct sigaction action{};
        action.sa_sigaction = handle;
        action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
        for (int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) sigaction(signal, &action, &before[signal]);
    }
}
