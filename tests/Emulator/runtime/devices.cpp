// libcuda's functions on devices, their contexts and the access of one to the memory of another.
#include "device.h"
#include <algorithm>
#include <cstdio>
#include <cstdlib>

using namespace emulator;

namespace
{
    using Lock = std::lock_guard<std::recursive_mutex>;

    int devices = 2;
    int peers = MostDevices;
    int capability = 90;
    size_t memories[MostDevices];
    Context contexts[MostDevices];
    thread_local Context* current;

    // From which devices the pool of each may be used, and for which pairs of contexts access was enabled.
    bool poolAccess[MostDevices][MostDevices], contextAccess[MostDevices][MostDevices];

    bool arePeers(int one, int other) { return one != other && one < peers && other < peers; }

    struct Access { int type, device, flags; };
}

namespace emulator
{
    Context* currentContext() { return current; }

    size_t memoryOf(int device) { return memories[device]; }

    bool canReach(int device, int owner) { return device == owner || (arePeers(device, owner) && poolAccess[owner][device]); }

    // LAVT_EMULATED_GPUS: how many. LAVT_EMULATED_PEERS: so many, from the first on, reach each other. LAVT_EMULATED_MIB: memory of each, with commas between.
    // LAVT_EMULATED_CAPABILITY: the compute capability, such as 80; a kernel for another GPU is refused by the compiler.
    void readSettings()
    {
        if (isInitialized) return;
        if (const char* count = getenv("LAVT_EMULATED_GPUS")) devices = std::clamp(atoi(count), 0, MostDevices);
        if (const char* asked = getenv("LAVT_EMULATED_CAPABILITY")) capability = atoi(asked);
        if (const char* count = getenv("LAVT_EMULATED_PEERS")) peers = atoi(count);
        std::fill(memories, memories + MostDevices, size_t(8) << 30);
        const char* sizes = getenv("LAVT_EMULATED_MIB");
        for (int i = 0; sizes && *sizes && i < MostDevices; i++)
        {
            char* end;
            memories[i] = (size_t)strtoul(sizes, &end, 10) << 20;
            sizes = *end ? end + 1 : end;
        }
    }
}

EXPORT int cuDeviceGetCount(int* count)
{
    *count = devices;
    return isInitialized ? Success : NotInitialized;
}

EXPORT int cuDeviceGet(int* device, int ordinal)
{
    *device = ordinal;
    return ordinal < devices ? Success : InvalidDevice;
}

EXPORT int cuDeviceGetName(char* name, int bytes, int)
{
    snprintf(name, (size_t)bytes, "CPU emulator");
    return Success;
}

EXPORT int cuDeviceGetAttribute(int* value, int attribute, int)
{
    switch (attribute)
    {
        case 16: *value = 2; break;       // multiprocessors
        case 75: *value = capability / 10; break;
        case 76: *value = capability % 10; break;
        case 97: *value = 232448; break;  // dynamic shared memory that a block may ask for
        default: *value = 0; break;
    }
    return Success;
}

EXPORT int cuDeviceTotalMem_v2(size_t* bytes, int device)
{
    *bytes = memoryOf(device);
    return Success;
}

EXPORT int cuDevicePrimaryCtxRetain(Handle* context, int device)
{
    contexts[device].device = device;
    *context = &contexts[device];
    return Success;
}

EXPORT int cuCtxSetCurrent(Handle context)
{
    current = (Context*)context;
    return Success;
}

EXPORT int cuMemGetInfo_v2(size_t* free, size_t* total)
{
    Lock lock(gate);
    if (!current) return InvalidContext;
    *total = memoryOf(current->device);
    *free = *total - std::min(*total, bytesInUse(current->device));
    return Success;
}

EXPORT int cuDeviceCanAccessPeer(int* can, int device, int peer)
{
    *can = arePeers(device, peer);
    return Success;
}

EXPORT int cuCtxEnablePeerAccess(Handle peer, unsigned)
{
    Lock lock(gate);
    if (!current) return InvalidContext;
    if (!arePeers(current->device, ((Context*)peer)->device)) return PeerUnsupported;
    bool& isEnabled = contextAccess[((Context*)peer)->device][current->device];
    if (isEnabled) return PeerAlreadyEnabled;
    isEnabled = true;
    return Success;
}

EXPORT int cuDeviceGetDefaultMemPool(Handle* pool, int device)
{
    *pool = &contexts[device];
    return Success;
}

EXPORT int cuMemPoolSetAttribute(Handle, int, void*) { return Success; }

EXPORT int cuMemPoolSetAccess(Handle pool, Access* access, size_t count)
{
    Lock lock(gate);
    for (size_t i = 0; i < count; i++)
    {
        if (!arePeers(((Context*)pool)->device, access[i].device)) return failWith(InvalidDevice, "access to a memory pool for a device that does not reach it");
        poolAccess[((Context*)pool)->device][access[i].device] = access[i].flags == 3;
    }
    return Success;
}

EXPORT int cuMemPoolTrimTo(Handle, size_t) { return Success; }

// For tests, which change these while the emulator runs.
EXPORT void emulatorSetDevices(int count) { devices = count; }
EXPORT void emulatorSetPeers(int count) { peers = count; }
EXPORT void emulatorSetMemory(int device, size_t bytes) { memories[device] = bytes; }
