// The emulated GPUs: their memory, streams and modules, behind the functions that libcuda exports.
#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>
#include "fibers.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace emulator
{
    using Handle = void*;

    // CUresult
    enum Result
    {
        Success = 0, InvalidValue = 1, OutOfMemory = 2, NotInitialized = 3, NoDevice = 100, InvalidDevice = 101, InvalidImage = 200,
        InvalidContext = 201, PeerUnsupported = 217, InvalidHandle = 400, NotFound = 500,
        NotReady = 600, PeerAlreadyEnabled = 704, IllegalAddress = 700, LaunchFailed = 719, CaptureUnsupported = 900, CaptureInvalidated = 901,
    };

    constexpr int MostDevices = 8;

    struct Context { int device; };

    using Task = std::function<Result()>;

    // What a stream was given while it was captured. The blocks that were allocated meanwhile live as long as this.
    struct Captured
    {
        std::vector<Task> tasks;
        std::vector<uint64_t> blocks;
        std::thread::id thread = std::this_thread::get_id();
        bool isInvalid = false;
        ~Captured();
    };

    // Work runs when the host waits for it, not before: what the host reads or changes too early shows.
    struct Stream
    {
        std::deque<Task> tasks;
        uint64_t issued = 0, done = 0;
        int device = 0;
        // Work runs as soon as it is issued: what the stream should have waited for shows.
        bool isEager = false;
        std::shared_ptr<Captured> captured;
    };

    struct Event
    {
        int device = 0;
        std::shared_ptr<Stream> stream;
        uint64_t position = 0;
        std::shared_ptr<Captured> captured;
        std::shared_ptr<std::chrono::steady_clock::time_point> time = std::make_shared<std::chrono::steady_clock::time_point>();
    };

    // Held by every call; kernels run while it is held.
    extern std::recursive_mutex gate;

    // What the last failure was, for cuGetErrorString.
    extern std::string lastError;

    extern bool isInitialized;

    Result failWith(Result result, const std::string& text);

    // Adds a task to a stream, or to what it captures.
    Result enqueue(Handle stream, Task task);

    // Runs the tasks of a stream up to a position.
    Result advance(Stream& stream, uint64_t position);
    Result advanceAll();

    // Runs all tasks of a stream.
    Result advanceAllOf(Handle stream);

    // Whether a stream is captured; null: any, by this thread.
    bool isCapturing(Handle stream);

    // Fails a call that must not be made during a capture, which is lost by it. Null: the captures of this thread.
    Result invalidateCapture(Handle stream, const std::string& what);

    // The block belongs to what the stream captures.
    void ownByCapture(Handle stream, uint64_t block);

    // Whether a block that is freed during a capture was allocated in it.
    bool isOfCapture(Handle stream, uint64_t block);

    // The device that a stream was made on; for the default stream that of the current context.
    int deviceOfStream(Handle stream);

    // Memory, a multiple of pages, with ranges on either side that no access may touch; null when there is none.
    char* mapGuarded(size_t bytes);
    void unmapGuarded(char* memory, size_t bytes);

    // Memory of the devices, full of NaNs when given out, between canaries.
    Result allocate(uint64_t* address, size_t bytes, int device);
    Result release(uint64_t address);
    bool isWithin(uint64_t address, size_t bytes);
    void refillWithNans(uint64_t address);
    int deviceOf(uint64_t address);
    size_t bytesInUse(int device);

    // How many devices there are, how much memory each has, whether they reach each other: from the environment, unless told otherwise.
    void readSettings();
    size_t memoryOf(int device);
    bool canReach(int device, int owner);

    // Whether every canary is whole; otherwise the failure says which kernel ran last.
    Result checkCanaries();
    void kernelRan(const std::string& name);

    // The context that is current on the calling thread; null if none is.
    Context* currentContext();
}
