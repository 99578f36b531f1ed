// What a kernel that runs on the CPU asks of the emulator's runtime. No standard headers: every kernel includes this, and a
// kernel should compile in a fraction of a second.
#pragma once
#pragma GCC visibility push(default)

struct dim3
{
    unsigned x, y, z;
    constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

namespace emulator
{
    // A thread of a block, as the kernel sees it. The runtime's own part follows behind it.
    struct Thread
    {
        dim3 id;
        int index, lane;
    };

    // A block, as the kernel sees it.
    struct Block
    {
        dim3 index, size, grid;
        char* dynamicShared;
        unsigned long dynamicBytes;
    };

    extern __thread Thread* thread;
    extern __thread Block* block;

    // Every lane of mask (that has not returned) brings an operand; the last one to come runs combine over all of them, then
    // all go on. Lanes share an address space, so operands may be written to.
    void collective(unsigned mask, void* operand, const char* what, void (*combine)(void** operands, unsigned mask));

    // Waits until count threads of the block have come to the barrier with this number.
    void barrier(int number, unsigned count, const char* what);

    // Waits until (*address & bits) != value. Other threads of the block run meanwhile.
    void waitWhile(const volatile unsigned* address, unsigned bits, unsigned value, const char* what);

    // Ends the launch with an error; does not return.
    void fail(const char* message);

    // Asynchronous copies into shared memory: queued, done as late as the waits allow.
    void copyAsync(void* shared, const void* global, int bytes, bool isValid);
    void commitCopies();
    void waitForCopies(int groupsLeft);

    // Runs when no thread of the block can go on otherwise: as late as the program allows. Takes a copy of the operand.
    void whenNothingElseRuns(void (*run)(void* operand), const void* operand, int bytes);

    // Products of a warp group (128 threads), queued per thread and done when all of them wait. Each thread brings its sums and its
    // part of a, or the address of all of it; b is the same for all. A fence comes before the first one and behind every wait.
    typedef void (*GroupProduct)(float* const* sums, const void* const* a, const void* b);
    void fenceGroupProducts();
    void queueGroupProduct(float* sums, const void* a, const void* b, GroupProduct run);
    void commitGroupProducts();
    void waitForGroupProducts(int groupsLeft);

    // A kernel of a compiled file, found by the runtime under the symbol emulatedKernels.
    struct Kernel
    {
        const char* name;
        void (*run)(void** arguments);
        const unsigned* parameterSizes;
        unsigned parameters, mostThreads;
    };

    template <class... A> struct Sizes
    {
        static constexpr unsigned values[sizeof...(A) + 1] = {(unsigned)sizeof(A)..., 0};
        static constexpr unsigned count = sizeof...(A);
    };
    template <class... A> constexpr Sizes<A...> sizesOf(void (*)(A...)) { return {}; }
    template <int... I> struct Indices {};
    template <auto F, class... A, int... I> void call(void** arguments, void (*)(A...), Indices<I...>) { F(*(A*)arguments[I]...); }
    template <auto F, class... A> void callAll(void** arguments, void (*f)(A...)) { call<F>(arguments, f, Indices<__integer_pack(sizeof...(A))...>{}); }
    template <auto F> void run(void** arguments) { callAll<F>(arguments, F); }
}

#pragma GCC visibility pop
