// Streams, events and graphs of libcuda. Work waits in its stream until the host waits for it.
#include "device.h"
#include <algorithm>
#include <set>

using namespace emulator;

namespace
{
    using Lock = std::lock_guard<std::recursive_mutex>;

    // More than this many tasks are not kept waiting, so that memory that was given back goes.
    constexpr size_t MostTasks = 256;

    struct StreamHandle { std::shared_ptr<Stream> stream = std::make_shared<Stream>(); };

    // Shared by a graph, what is instantiated from it, and its launches that have not run.
    struct Graph { std::shared_ptr<Captured> captured; };

    std::set<StreamHandle*> streams;

    bool areEager;

    std::shared_ptr<Stream> defaultStream = std::make_shared<Stream>();

    bool isOfThisThread(const std::shared_ptr<Captured>& captured) { return captured && captured->thread == std::this_thread::get_id(); }

    std::shared_ptr<Stream> streamOf(Handle handle) { return handle ? ((StreamHandle*)handle)->stream : defaultStream; }
}

namespace emulator
{
    bool isCapturing(Handle handle)
    {
        if (handle) return streamOf(handle)->captured != nullptr;
        return std::any_of(streams.begin(), streams.end(), [](StreamHandle* stream) { return isOfThisThread(stream->stream->captured); });
    }

    Result invalidateCapture(Handle handle, const std::string& what)
    {
        for (StreamHandle* stream : streams)
            if (handle ? handle == stream : isOfThisThread(stream->stream->captured)) stream->stream->captured->isInvalid = true;
        return failWith(CaptureUnsupported, what);
    }

    void ownByCapture(Handle handle, uint64_t block) { streamOf(handle)->captured->blocks.push_back(block); }

    bool isOfCapture(Handle handle, uint64_t block)
    {
        std::vector<uint64_t>& blocks = streamOf(handle)->captured->blocks;
        return std::find(blocks.begin(), blocks.end(), block) != blocks.end();
    }

    Captured::~Captured()
    {
        for (uint64_t block : blocks) release(block);
    }

    int deviceOfStream(Handle handle) { return handle ? streamOf(handle)->device : currentContext()->device; }

    Result enqueue(Handle handle, Task task)
    {
        std::shared_ptr<Stream> stream = streamOf(handle);
        if (stream->captured)
        {
            stream->captured->tasks.push_back(std::move(task));
            return Success;
        }
        stream->tasks.push_back(std::move(task));
        stream->issued++;
        if (stream->isEager) return advance(*stream, stream->issued);
        return stream->tasks.size() > MostTasks ? advance(*stream, stream->issued - MostTasks / 2) : Success;
    }

    Result advance(Stream& stream, uint64_t position)
    {
        Result first = Success;
        while (stream.done < position && !stream.tasks.empty())
        {
            Task task = std::move(stream.tasks.front());
            stream.tasks.pop_front();
            stream.done++;
            Result result = task();
            if (!first) first = result;
        }
        return first;
    }

    Result advanceAllOf(Handle handle)
    {
        std::shared_ptr<Stream> stream = streamOf(handle);
        return advance(*stream, stream->issued);
    }

    Result advanceAll()
    {
        Result first = advance(*defaultStream, defaultStream->issued);
        for (StreamHandle* handle : streams)
        {
            Result result = advance(*handle->stream, handle->stream->issued);
            if (!first) first = result;
        }
        return first;
    }
}

EXPORT int cuStreamCreate(Handle* stream, unsigned)
{
    Lock lock(gate);
    if (!currentContext()) return InvalidContext;
    StreamHandle* handle = new StreamHandle();
    handle->stream->device = currentContext()->device;
    handle->stream->isEager = areEager;
    streams.insert(handle);
    *stream = handle;
    return Success;
}

EXPORT int cuStreamDestroy_v2(Handle stream)
{
    Lock lock(gate);
    StreamHandle* handle = (StreamHandle*)stream;
    Result result = advance(*handle->stream, handle->stream->issued);
    streams.erase(handle);
    delete handle;
    return result;
}

EXPORT int cuStreamSynchronize(Handle stream)
{
    Lock lock(gate);
    if (isCapturing(stream)) return invalidateCapture(stream, "the host waits for a stream that is captured");
    std::shared_ptr<Stream> waited = streamOf(stream);
    Result result = advance(*waited, waited->issued);
    return result ? result : checkCanaries();
}

EXPORT int cuStreamWaitEvent(Handle stream, Handle awaited, unsigned)
{
    Lock lock(gate);
    Event event = *(Event*)awaited;
    if (!event.stream) return Success;
    // Captures of several streams are not emulated: each mark and who waits for it belong to one capture or to none.
    bool isJoined = isCapturing(stream) ? streamOf(stream)->captured == event.captured : !event.captured;
    if (!isJoined) return invalidateCapture(nullptr, "a stream waits for an event across the bounds of a capture");
    if (event.captured) return Success;
    return enqueue(stream, [event] { return advance(*event.stream, event.position); });
}

EXPORT int cuEventCreate(Handle* created, unsigned)
{
    if (!currentContext()) return InvalidContext;
    *created = new Event();
    ((Event*)*created)->device = currentContext()->device;
    return Success;
}

EXPORT int cuEventDestroy_v2(Handle destroyed)
{
    Lock lock(gate);
    delete (Event*)destroyed;
    return Success;
}

EXPORT int cuEventRecord(Handle recorded, Handle stream)
{
    Lock lock(gate);
    Event* event = (Event*)recorded;
    if (event->device != deviceOfStream(stream)) return failWith(InvalidHandle, "an event is recorded in a stream of another device");
    auto time = event->time;
    Result result = enqueue(stream, [time] { *time = std::chrono::steady_clock::now(); return Success; });
    event->stream = streamOf(stream);
    event->position = event->stream->issued;
    event->captured = event->stream->captured;
    return result;
}

EXPORT int cuEventSynchronize(Handle awaited)
{
    Lock lock(gate);
    Event* event = (Event*)awaited;
    if (event->captured) return invalidateCapture(nullptr, "the host waits for an event that was captured");
    return event->stream ? advance(*event->stream, event->position) : Success;
}

EXPORT int cuEventQuery(Handle asked)
{
    Lock lock(gate);
    Event* event = (Event*)asked;
    if (event->captured) return invalidateCapture(nullptr, "the host asks about an event that was captured");
    return !event->stream || event->stream->done >= event->position ? Success : NotReady;
}

EXPORT int cuEventElapsedTime(float* milliseconds, Handle start, Handle end)
{
    Lock lock(gate);
    *milliseconds = std::chrono::duration<float, std::milli>(*((Event*)end)->time - *((Event*)start)->time).count();
    return Success;
}

EXPORT int cuStreamBeginCapture_v2(Handle stream, int)
{
    Lock lock(gate);
    if (!stream || isCapturing(stream)) return CaptureUnsupported;
    streamOf(stream)->captured = std::make_shared<Captured>();
    return Success;
}

EXPORT int cuStreamEndCapture(Handle stream, Handle* graph)
{
    Lock lock(gate);
    std::shared_ptr<Captured> captured = std::move(streamOf(stream)->captured);
    *graph = nullptr;
    if (captured->isInvalid) return CaptureInvalidated;
    *graph = new Graph{captured};
    return Success;
}

EXPORT int cuGraphInstantiateWithFlags(Handle* executable, Handle graph, uint64_t)
{
    Lock lock(gate);
    *executable = new Graph(*(Graph*)graph);
    return Success;
}

EXPORT int cuGraphLaunch(Handle executable, Handle stream)
{
    Lock lock(gate);
    return enqueue(stream, [captured = ((Graph*)executable)->captured]
    {
        for (const Task& task : captured->tasks)
            if (Result result = task()) return result;
        return Success;
    });
}

EXPORT int cuGraphExecDestroy(Handle executable)
{
    Lock lock(gate);
    delete (Graph*)executable;
    return Success;
}

EXPORT int cuGraphDestroy(Handle graph)
{
    Lock lock(gate);
    delete (Graph*)graph;
    return Success;
}

// Whether streams that are made from now on run their work at once.
EXPORT void emulatorSetEager(int eager) { areEager = eager; }
