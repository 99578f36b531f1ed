using System.Runtime.ExceptionServices;
using Lavt.Kernels;
using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Nn.Parallel;

/// <summary>Runs one thread per device of a process; each has workers of its own and a place in one <see cref="LocalGroup"/>.</summary>
public static class DeviceThreads
{
    /// <summary>
    /// Runs <paramref name="work"/> once per device and returns when all have ended. When one fails, the others' next
    /// operation fails too, and the first failure is thrown here.
    /// </summary>
    /// <param name="devices">The number of devices.</param>
    /// <param name="threads">Threads that compute, over all devices; each device gets its share, one at least.</param>
    /// <param name="work">What each device does with its place in the group.</param>
    /// <param name="gpus">The GPU of each device; null for CPUs.</param>
    public static void Run(int devices, int threads, Action<CollectiveQueue> work, IReadOnlyList<CudaDevice>? gpus = null)
    {
        ArgumentNullException.ThrowIfNull(work);
        using var group = new LocalGroup(devices);
        using LocalGpuGroup? gpuGroup = gpus is null ? null : new LocalGpuGroup(group, gpus);
        var failure = new FirstFailure();
        Thread[] running = [.. Enumerable.Range(0, devices).Select(rank => new Thread(() => RunOne(() => Join(group, gpuGroup, rank), Share(threads, devices, rank), work, failure)) { Name = $"lavt device {rank}" })];
        foreach (Thread thread in running) thread.Start();
        foreach (Thread thread in running) thread.Join();
        failure.Throw();
    }

    /// <summary>The threads of a device: all together as many as there are, the first devices get what is left over.</summary>
    private static int Share(int threads, int devices, int rank) => Math.Max(1, threads / devices + (rank < threads % devices ? 1 : 0));

    private static CollectiveQueue Join(LocalGroup group, LocalGpuGroup? gpus, int rank) =>
        new(() => group.Member(rank), gpus is null ? null : _ => gpus.Member(rank));

    private static void RunOne(Func<CollectiveQueue> join, int threads, Action<CollectiveQueue> work, FirstFailure failure)
    {
        using var workers = new Workers(threads);
        Workers.Use(workers);
        using CollectiveQueue queue = join();
        try
        {
            work(queue);
        }
        catch (Exception error)
        {
            failure.Note(error);
            // Before the queue is left: an operation in it may be waiting for the others, and they for this device.
            queue.Abort($"device {queue.Rank} failed: {error.Message}");
        }
    }

    private sealed class FirstFailure
    {
        private ExceptionDispatchInfo? _first;

        public void Note(Exception error) => Interlocked.CompareExchange(ref _first, ExceptionDispatchInfo.Capture(error), null);

        public void Throw() => _first?.Throw();
    }
}
