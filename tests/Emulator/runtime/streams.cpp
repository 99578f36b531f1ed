// Streams, events and graphs of libcuda. Work waits in its stream until the host waits for it.
#include "device.h"
#include <set>

using namespace emulator;

namespace
{
    using Lock = std::lock_guard<std::recursive_mutex>;

    // More than this many tasks are not kept waiting, so that memory that was given back goes.
    constexpr size_t MostTasks = 256;

    struct StreamHandle { std::shared_ptr<Stream> stream = std::make_shared<Stream>(); };

    struct Graph { std::vector<Task> tasks; };

    std::set<StreamHandle*> streams;

    std::shared_ptr<Stream> defaultStream = std::make_shared<Stream>();

    std::shared_ptr<Stream> streamOf(Handle handle) { return handle ? ((StreamHandle*)handle)->stream : defaultStream; }
}

namespace emulator
{
    bool isCapturing(Handle handle)
    {
        if (handle) return streamOf(handle)->isCapturing;
        for (StreamHandle* stream : streams)
            if (stream->stream->isCapturing) return true;
        return false;
    }

    int deviceOfStream(Handle handle) { return handle ? streamOf(handle)->device : currentContext()->device; }

    Result enqueue(Handle handle, Task task)
    {
        std::shared_ptr<Stream> stream = streamOf(handle);
        if (stream->isCapturing)
        {
            stream->captured.push_back(std::move(task));
            return Success;
        }
        stream->tasks.push_back(std::move(task));
        stream->issued++;
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
    if (isCapturing(stream)) return CaptureUnsupported;
    std::shared_ptr<Stream> waited = streamOf(stream);
    Result result = advance(*waited, waited->issued);
    return result ? result : checkCanaries();
}

EXPORT int cuStreamWaitEvent(Handle stream, Handle awaited, unsigned)
{
    Lock lock(gate);
    Event event = *(Event*)awaited;
    if (!event.stream) return Success;
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
    return result;
}

EXPORT int cuEventSynchronize(Handle awaited)
{
    Lock lock(gate);
    Event* event = (Event*)awaited;
    return event->stream ? advance(*event->stream, event->position) : Success;
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
    streamOf(stream)->isCapturing = true;
    return Success;
}

EXPORT int cuStreamEndCapture(Handle stream, Handle* graph)
{
    Lock lock(gate);
    std::shared_ptr<Stream> captured = streamOf(stream);
    *graph = new Graph{std::move(captured->captured)};
    captured->captured.clear();
    captured->isCapturing = false;
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
    std::vector<Task> tasks = ((Graph*)executable)->tasks;
    return enqueue(stream, [tasks]
    {
        for (const Task& task : tasks)
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
