// A stand-in for libnccl: processes, one rank each, that exchange numbers through a file which all map. It adds in the order of ranks.
#include "device.h"
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <random>
#include <sys/mman.h>
#include <unistd.h>

using namespace emulator;

namespace
{
    // ncclResult_t
    enum Outcome { Done = 0, UnhandledCudaError = 1, SystemError = 2, InvalidArgument = 4, RemoteError = 6 };

    constexpr int MostRanks = 16, IdBytes = 128;
    constexpr size_t Piece = 1 << 20;
    constexpr auto Patience = std::chrono::seconds(60);

    struct Id { char bytes[IdBytes]; };

    // What the ranks share; a slot for each follows.
    struct Meeting
    {
        std::atomic<unsigned> arrived, round;
        char slots[MostRanks][Piece];
    };

    struct Group
    {
        int rank, size, device;
        Meeting* meeting;
        Outcome outcome = Done;
    };

    thread_local std::string lastFailure;

    Outcome fail(Outcome outcome, const std::string& text)
    {
        lastFailure = text;
        return outcome;
    }

    bool meet(Group* group)
    {
        Meeting& meeting = *group->meeting;
        unsigned round = meeting.round;
        if (++meeting.arrived == (unsigned)group->size)
        {
            meeting.arrived = 0;
            meeting.round++;
            return true;
        }
        auto deadline = std::chrono::steady_clock::now() + Patience;
        while (meeting.round == round)
        {
            if (std::chrono::steady_clock::now() > deadline) return false;
            usleep(20);
        }
        return true;
    }

    template <typename T> void addUp(Group* group, T* own, size_t count)
    {
        for (size_t i = 0; i < count; i++)
        {
            T sum = ((T*)group->meeting->slots[0])[i];
            for (int rank = 1; rank < group->size; rank++) sum += ((T*)group->meeting->slots[rank])[i];
            own[i] = sum;
        }
    }

    // Pieces go through the slots: of all ranks, or of the one whose bytes all get.
    bool exchange(Group* group, char* own, size_t bytes, int type, int root)
    {
        for (size_t first = 0; first < bytes; first += Piece)
        {
            size_t length = std::min(Piece, bytes - first);
            if (root < 0 || root == group->rank) memcpy(group->meeting->slots[group->rank], own + first, length);
            if (!meet(group)) return false;
            if (root >= 0) memcpy(own + first, group->meeting->slots[root], length);
            else if (type == 7) addUp(group, (float*)(own + first), length / 4);
            else addUp(group, (double*)(own + first), length / 8);
            if (!meet(group)) return false;
        }
        return true;
    }

    // The ranks exchange at once, beside what their hosts do, as GPUs would; but the result is in its place only when the stream comes to it.
    Outcome start(Group* group, const void* from, void* to, size_t count, int type, int root, Handle stream)
    {
        size_t bytes = count * (type == 8 ? 8 : type == 7 ? 4 : 1);
        if (root >= group->size) return fail(InvalidArgument, "no such root");
        if (root < 0 && type != 7 && type != 8) return fail(InvalidArgument, "the stand-in adds float32 and float64");
        if (from != to) return fail(InvalidArgument, "the stand-in works in place");
        auto numbers = std::make_shared<std::vector<char>>(bytes);
        {
            std::lock_guard<std::recursive_mutex> lock(gate);
            if (deviceOfStream(stream) != group->device || deviceOf((uint64_t)to) != group->device) return fail(InvalidArgument, "a stream or an array of another device than the communicator's");
            if (!isWithin((uint64_t)to, bytes)) return fail(InvalidArgument, "an array reaches beyond its buffer");
            if (advanceAllOf(stream)) return fail(UnhandledCudaError, lastError);
            memcpy(numbers->data(), to, bytes);
        }
        if (!exchange(group, numbers->data(), bytes, type, root))
        {
            group->outcome = RemoteError;
            return fail(RemoteError, "a rank did not come");
        }
        std::lock_guard<std::recursive_mutex> lock(gate);
        return enqueue(stream, [=] { memcpy(to, numbers->data(), bytes); return Success; }) ? fail(UnhandledCudaError, lastError) : Done;
    }
}

EXPORT int ncclGetUniqueId(Id* id)
{
    std::random_device random;
    memset(id, 0, sizeof *id);
    snprintf(id->bytes, sizeof id->bytes, "/dev/shm/lavt-nccl-%08x%08x", random(), random());
    return Done;
}

EXPORT int ncclCommInitRank(Handle* made, int size, Id id, int rank)
{
    Context* context = currentContext();
    if (!context) return fail(UnhandledCudaError, "no current context");
    if (rank < 0 || rank >= size || size > MostRanks) return fail(InvalidArgument, "no such rank");
    int file = open(id.bytes, O_RDWR | O_CREAT, 0600);
    if (file < 0 || ftruncate(file, sizeof(Meeting))) return fail(SystemError, "the ranks cannot share memory");
    void* meeting = mmap(nullptr, sizeof(Meeting), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (meeting == MAP_FAILED) return fail(SystemError, "the ranks cannot share memory");
    Group* group = new Group{rank, size, context->device, (Meeting*)meeting};
    bool came = meet(group);
    unlink(id.bytes);
    if (!came) return fail(SystemError, "not all ranks came");
    *made = group;
    return Done;
}

EXPORT int ncclAllReduce(const void* from, void* to, size_t count, int type, int operation, Handle group, Handle stream)
{
    return operation ? fail(InvalidArgument, "the stand-in knows sums alone") : start((Group*)group, from, to, count, type, -1, stream);
}

EXPORT int ncclBroadcast(const void* from, void* to, size_t count, int type, int root, Handle group, Handle stream)
{
    return root < 0 ? fail(InvalidArgument, "no such root") : start((Group*)group, from, to, count, type, root, stream);
}

EXPORT int ncclCommGetAsyncError(Handle group, int* outcome)
{
    *outcome = ((Group*)group)->outcome;
    return Done;
}

EXPORT int ncclCommDestroy(Handle group)
{
    munmap(((Group*)group)->meeting, sizeof(Meeting));
    delete (Group*)group;
    return Done;
}

EXPORT const char* ncclGetErrorString(int outcome)
{
    static const char* const texts[] = {
        "no error", "unhandled cuda error", "unhandled system error", "internal error", "invalid argument", "invalid usage", "remote process exited or there was a network error"};
    return outcome >= 0 && outcome < 7 ? texts[outcome] : "unknown result code";
}

EXPORT const char* ncclGetLastError(Handle) { return lastFailure.c_str(); }
