using System.Collections.Concurrent;
using Lavt.Nn.Parallel;

namespace Lavt.Bench;

/// <summary>Threads of CPU devices that stay between the runs of a benchmark and do what they are told together.</summary>
internal sealed class DeviceCrew : IDisposable
{
    private readonly BlockingCollection<Action<CollectiveQueue>>[] _work;
    private readonly CountdownEvent _done;
    private readonly Thread _threads;

    public DeviceCrew(int devices, int threads)
    {
        _work = [.. Enumerable.Range(0, devices).Select(_ => new BlockingCollection<Action<CollectiveQueue>>())];
        _done = new CountdownEvent(devices);
        _threads = new Thread(() => DeviceThreads.Run(devices, threads, queue =>
        {
            foreach (Action<CollectiveQueue> work in _work[queue.Rank].GetConsumingEnumerable())
            {
                work(queue);
                _done.Signal();
            }
        }));
        _threads.Start();
    }

    /// <summary>Runs <paramref name="work"/> on each device and returns when all are done.</summary>
    public void Run(Action<CollectiveQueue> work)
    {
        _done.Reset();
        foreach (BlockingCollection<Action<CollectiveQueue>> queue in _work) queue.Add(work);
        _done.Wait();
    }

    public void Dispose()
    {
        foreach (BlockingCollection<Action<CollectiveQueue>> queue in _work) queue.CompleteAdding();
        _threads.Join();
        _done.Dispose();
    }
}
