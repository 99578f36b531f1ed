using System.Diagnostics;

namespace Lavt.Kernels;

/// <summary>
/// Measures the parallel loops that a thread starts, from <see cref="Begin"/> to <see cref="Dispose"/>: how often each kernel
/// ran and how long. Loops inside loops belong to the outer one.
/// </summary>
public sealed class KernelProfile : IDisposable
{
    [ThreadStatic]
    private static KernelProfile? t_current;

    private readonly Dictionary<string, KernelTime> _times = [];
    private bool _inLoop;

    private KernelProfile()
    {
    }

    /// <summary>The kernels that ran, those that took longest first.</summary>
    public IReadOnlyList<KernelTime> Times => [.. _times.Values.OrderByDescending(t => t.Seconds)];

    /// <summary>The profile that measures this thread; null: none does.</summary>
    internal static KernelProfile? Current => t_current;

    /// <summary>Starts to measure the calling thread.</summary>
    /// <exception cref="InvalidOperationException">Another profile measures this thread already.</exception>
    public static KernelProfile Begin()
    {
        if (t_current is not null)
            throw new InvalidOperationException("another profile measures this thread already; dispose of it first");
        return t_current = new KernelProfile();
    }

    /// <summary>Ends the measurement; <see cref="Times"/> can still be read. To be called on the thread that began it.</summary>
    public void Dispose() => t_current = null;

    /// <summary>Runs a loop and, unless it is inside another one, adds its time.</summary>
    internal void Run<TBody>(Workers workers, int pieces, ref TBody body)
        where TBody : struct, ILoopBody
    {
        if (_inLoop)
        {
            workers.Share(pieces, ref body);
            return;
        }
        _inLoop = true;
        long started = Stopwatch.GetTimestamp();
        try
        {
            workers.Share(pieces, ref body);
        }
        finally
        {
            _inLoop = false;
        }
        Add(body.Describe(pieces), Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    private void Add(KernelWork work, double seconds)
    {
        KernelTime sofar = _times.GetValueOrDefault(work.Name, new KernelTime(work.Name, 0, 0, 0, 0));
        _times[work.Name] = new KernelTime(
            work.Name, sofar.Calls + 1, sofar.Seconds + seconds, sofar.Flops + work.Flops, sofar.Bytes + work.Bytes);
    }
}

/// <summary>All calls of one kernel at one size.</summary>
/// <param name="Name">The kernel (<see cref="KernelWork.Name"/>).</param>
/// <param name="Calls">How often it ran.</param>
/// <param name="Seconds">How long it ran in all.</param>
/// <param name="Flops">What it computed in all; 0: not known.</param>
/// <param name="Bytes">What it had to read and write in all; 0: not known.</param>
public readonly record struct KernelTime(string Name, int Calls, double Seconds, double Flops, double Bytes);
