// libcuda's functions on contexts, memory, copies and modules. Exported under the same names as the real ones.
#include "device.h"
#include <cstdio>
#include <cstring>
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

using namespace emulator;

namespace emulator
{
    std::recursive_mutex gate;
    std::string lastError;

    bool isInitialized;

    Result failWith(Result result, const std::string& text)
    {
        lastError = text;
        return result;
    }
}

namespace
{
    struct Function
    {
        const Kernel* kernel;
        int mostShared;
        int device;
    };

    struct Module
    {
        void* library;
        std::map<std::string, Function> functions;
    };

    using Lock = std::lock_guard<std::recursive_mutex>;

    Result copy(uint64_t to, uint64_t from, size_t bytes, bool toDevice, bool fromDevice)
    {
        if ((toDevice && !isWithin(to, bytes)) || (fromDevice && !isWithin(from, bytes))) return failWith(InvalidValue, "a copy reaches beyond a buffer");
        memmove((void*)to, (void*)from, bytes);
        return Success;
    }
}

#define REQUIRE_CONTEXT \
    Lock lock(gate); \
    if (!isInitialized) return NotInitialized; \
    if (!currentContext()) return InvalidContext;

EXPORT int cuInit(unsigned)
{
    catchFaults();
    readSettings();
    isInitialized = true;
    return Success;
}

EXPORT int cuDriverGetVersion(int* version)
{
    *version = 12080;
    return Success;
}

EXPORT int cuGetErrorName(int error, const char** text)
{
    static const std::map<int, const char*> names{
        {InvalidValue, "CUDA_ERROR_INVALID_VALUE"}, {OutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY"}, {NotInitialized, "CUDA_ERROR_NOT_INITIALIZED"},
        {NoDevice, "CUDA_ERROR_NO_DEVICE"}, {InvalidDevice, "CUDA_ERROR_INVALID_DEVICE"}, {InvalidImage, "CUDA_ERROR_INVALID_IMAGE"},
        {InvalidContext, "CUDA_ERROR_INVALID_CONTEXT"}, {NotFound, "CUDA_ERROR_NOT_FOUND"}, {IllegalAddress, "CUDA_ERROR_ILLEGAL_ADDRESS"},
        {LaunchFailed, "CUDA_ERROR_LAUNCH_FAILED"}, {CaptureUnsupported, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"}, {CaptureInvalidated, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"},
        {NotReady, "CUDA_ERROR_NOT_READY"},
        {PeerAlreadyEnabled, "CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED"}, {PeerUnsupported, "CUDA_ERROR_PEER_ACCESS_UNSUPPORTED"}, {InvalidHandle, "CUDA_ERROR_INVALID_HANDLE"},
    };
    auto found = names.find(error);
    *text = found == names.end() ? "CUDA_ERROR_UNKNOWN" : found->second;
    return Success;
}

EXPORT int cuGetErrorString(int, const char** text)
{
    static thread_local std::string kept;
    Lock lock(gate);
    kept = lastError.empty() ? "emulated device" : lastError;
    *text = kept.c_str();
    return Success;
}

EXPORT int cuCtxSynchronize()
{
    REQUIRE_CONTEXT
    if (isCapturing(nullptr)) return invalidateCapture(nullptr, "the host waits for a device whose stream is captured");
    Result result = advanceAll();
    return result ? result : checkCanaries();
}

EXPORT int cuMemAllocAsync(uint64_t* address, size_t bytes, Handle stream)
{
    REQUIRE_CONTEXT
    Result result = allocate(address, bytes, currentContext()->device);
    // A block of a graph keeps its address and is unset again at every launch.
    if (result || !isCapturing(stream)) return result;
    ownByCapture(stream, *address);
    return enqueue(stream, [block = *address] { refillWithNans(block); return Success; });
}

EXPORT int cuMemFreeAsync(uint64_t address, Handle stream)
{
    REQUIRE_CONTEXT
    if (isCapturing(stream))
    {
        if (!isOfCapture(stream, address)) return invalidateCapture(stream, "memory is given back in a capture that was not allocated in it");
        return enqueue(stream, [address] { refillWithNans(address); return checkCanaries(); });
    }
    return enqueue(stream, [address] { return release(address); });
}

EXPORT int cuMemHostAlloc(void** address, size_t bytes, unsigned)
{
    *address = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    Lock lock(gate);
    return *address == MAP_FAILED ? OutOfMemory : Success;
}

EXPORT int cuMemFreeHost(void*)
{
    // Kept: a copy that is still to come would end the process.
    return Success;
}

EXPORT int cuMemcpyHtoDAsync_v2(uint64_t to, const void* from, size_t bytes, Handle stream)
{
    REQUIRE_CONTEXT
    return enqueue(stream, [=] { return copy(to, (uint64_t)from, bytes, true, false); });
}

EXPORT int cuMemcpyDtoHAsync_v2(void* to, uint64_t from, size_t bytes, Handle stream)
{
    REQUIRE_CONTEXT
    return enqueue(stream, [=] { return copy((uint64_t)to, from, bytes, false, true); });
}

EXPORT int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, size_t bytes, Handle stream)
{
    REQUIRE_CONTEXT
    return enqueue(stream, [=] { return copy(to, from, bytes, true, true); });
}

EXPORT int cuMemcpyPeerAsync(uint64_t to, Handle toContext, uint64_t from, Handle fromContext, size_t bytes, Handle stream)
{
    REQUIRE_CONTEXT
    int target = ((Context*)toContext)->device, source = ((Context*)fromContext)->device;
    if (deviceOf(to) != target || deviceOf(from) != source) return failWith(InvalidValue, "a copy between devices names another device than the one that has the memory");
    if (!canReach(target, source)) return failWith(InvalidValue, "a copy between devices without access of the one to the memory pool of the other");
    return enqueue(stream, [=] { return copy(to, from, bytes, true, true); });
}

EXPORT int cuMemsetD8Async(uint64_t to, unsigned char value, size_t count, Handle stream)
{
    REQUIRE_CONTEXT
    return enqueue(stream, [=]
    {
        if (!isWithin(to, count)) return failWith(InvalidValue, "a memset reaches beyond a buffer");
        memset((void*)to, value, count);
        return Success;
    });
}

// The image: eight letters, a length, a shared library.
EXPORT int cuModuleLoadData(Handle* module, const void* image)
{
    REQUIRE_CONTEXT
    if (isCapturing(nullptr)) return invalidateCapture(nullptr, "a module is loaded during a capture");
    if (memcmp(image, "EMULATED", 8)) return failWith(InvalidImage, "not an image of the emulator");
    uint64_t bytes;
    memcpy(&bytes, (const char*)image + 8, 8);
    // Stays open: the loader takes two files of one name for the same library.
    int file = memfd_create("emulated", 0);
    bool isWritten = write(file, (const char*)image + 16, bytes) == (ssize_t)bytes;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    void* library = isWritten ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
    if (!library) return failWith(InvalidImage, isWritten ? dlerror() : "cannot write the image");
    Module* loaded = new Module{library, {}};
    for (const Kernel* kernel = (const Kernel*)dlsym(library, "emulatedKernels"); kernel && kernel->name; kernel++)
        loaded->functions[kernel->name] = {kernel, 48 * 1024, currentContext()->device};
    *module = loaded;
    return Success;
}

EXPORT int cuModuleGetFunction(Handle* function, Handle module, const char* name)
{
    REQUIRE_CONTEXT
    auto& functions = ((Module*)module)->functions;
    auto found = functions.find(name);
    if (found == functions.end()) return failWith(NotFound, std::string("no kernel ") + name);
    *function = &found->second;
    return Success;
}

EXPORT int cuFuncSetAttribute(Handle function, int attribute, int value)
{
    if (attribute != 8) return Success;
    if (value > 232448) return InvalidValue;
    ((Function*)function)->mostShared = value;
    return Success;
}

EXPORT int cuFuncGetAttribute(int* value, int, Handle)
{
    *value = 0;
    return Success;
}

EXPORT int cuFuncGetParamInfo(Handle function, size_t index, size_t* offset, size_t* size)
{
    const Kernel* kernel = ((Function*)function)->kernel;
    if (index >= kernel->parameters) return InvalidValue;
    *offset = 0;
    *size = kernel->parameterSizes[index];
    return Success;
}

EXPORT int cuLaunchKernel(Handle handle, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned shared, Handle stream, void** arguments, void**)
{
    REQUIRE_CONTEXT
    Function* function = (Function*)handle;
    const Kernel* kernel = function->kernel;
    if (function->device != currentContext()->device || deviceOfStream(stream) != currentContext()->device)
        return failWith(InvalidHandle, "a launch whose function or stream belongs to another device than the current context");
    if (shared > (unsigned)function->mostShared) return failWith(InvalidValue, "more than 48 KB of dynamic shared memory, which the function was not allowed");
    uint64_t threads = (uint64_t)bx * by * bz;
    if (!gx || !gy || !gz || gx > 0x7FFFFFFF || gy > 65535 || gz > 65535) return failWith(InvalidValue, "the grid has no blocks or too many");
    if (!threads || threads > 1024 || bz > 64) return failWith(InvalidValue, "a block has no threads or more than 1024");
    if (kernel->mostThreads && threads > kernel->mostThreads) return failWith((Result)701, "more threads per block than the kernel's __launch_bounds__");
    // Arguments are taken by value at the launch, aligned for any structure.
    struct alignas(64) Slot { char bytes[4096]; };
    auto values = std::make_shared<std::vector<Slot>>(kernel->parameters);
    for (unsigned i = 0; i < kernel->parameters; i++) memcpy((*values)[i].bytes, arguments[i], kernel->parameterSizes[i]);
    return enqueue(stream, [=]
    {
        std::vector<void*> addresses;
        // A fresh copy for each launch of a graph, for kernels may write to their parameters.
        auto fresh = *values;
        for (Slot& slot : fresh) addresses.push_back(slot.bytes);
        kernelRan(kernel->name);
        std::string error = launch({kernel, dim3(gx, gy, gz), dim3(bx, by, bz), shared, addresses.data()});
        return error.empty() ? Success : failWith(LaunchFailed, error);
    });
}

// As include/PtxHopper.cuh reads it.
EXPORT int cuTensorMapEncodeTiled(void* map, int type, unsigned rank, void* address, const uint64_t* extents, const uint64_t* strides, const unsigned* box, const unsigned*, int, int swizzle, int, int)
{
    static const unsigned sizes[] = {1, 2, 4, 4, 8, 8, 2, 4, 8, 2, 4, 4, 4};
    struct Map { uint64_t address; unsigned rank, elementBytes, swizzle, extents[5], box[5]; uint64_t strides[5]; } made{(uint64_t)address, rank, sizes[type], (unsigned)swizzle, {}, {}, {}};
    static_assert(sizeof(Map) <= 128, "as large as CUDA's");
    if ((uint64_t)map % 64 || (uint64_t)address % 16 || rank < 2 || rank > 5) return failWith(InvalidValue, "a tensor map: the map is not on a multiple of 64, its matrix not on one of 16, or has not 2 to 5 axes");
    if (swizzle == 3 && box[0] * made.elementBytes > 128) return failWith(InvalidValue, "a tensor map: rows of a tile of more than 128 bytes cannot be swizzled");
    if (box[0] * made.elementBytes % 16) return failWith(InvalidValue, "a tensor map: rows of a tile are not multiples of 16 bytes");
    for (unsigned i = 0; i < rank; i++)
    {
        if (!extents[i] || extents[i] > 0xFFFFFFFF || !box[i] || box[i] > 256) return failWith(InvalidValue, "a tensor map: an axis is empty, or longer than 256 in a tile");
        if (i && (strides[i - 1] % 16 || strides[i - 1] >= 1ull << 40)) return failWith(InvalidValue, "a tensor map: a stride is not a multiple of 16");
        made.extents[i] = (unsigned)extents[i];
        made.box[i] = box[i];
        if (i) made.strides[i] = strides[i - 1];
    }
    memcpy(map, &made, sizeof made);
    return Success;
}

// Which of the orders of emulator::Order the threads of a block run in from now on.
EXPORT void emulatorSetOrder(int order) { setOrder((Order)order); }
