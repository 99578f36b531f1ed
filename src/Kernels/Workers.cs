using System.Runtime.CompilerServices;
using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Lavt.Kernels;

/// <summary>One piece of a parallel loop; a struct, so that a loop allocates nothing.</summary>
public interface ILoopBody
{
    /// <summary>Does piece <paramref name="index"/> on worker <paramref name="worker"/> (0 … <see cref="Workers.Count"/> − 1).</summary>
    void Run(int index, int worker);

    /// <summary>What the loop computes, for a <see cref="KernelProfile"/>; asked only when one measures.</summary>
    /// <param name="pieces">The number of pieces that the loop had.</param>
    KernelWork Describe(int pieces) => KernelWork.Of(GetType());
}

/// <summary>
/// A fixed set of threads that share out the pieces of a loop. Workers spin for a moment after a loop and then sleep. A
/// loop started inside another one, or while another thread uses the same workers, runs on the calling thread alone.
/// </summary>
public sealed unsafe class Workers : IDisposable
{
    private const int SpinsBeforeSleep = 4000;

    /// <summary>The bit that says that a loop may be entered; the bits below count the workers inside.</summary>
    private const int Open = 1 << 30;

    [ThreadStatic]
    private static bool t_inside;

    [ThreadStatic]
    private static Workers? t_current;

    private static Workers? s_shared;

    private readonly Thread[] _threads;
    private readonly Sleeper[] _sleepers;
    private Shared _shared;
    private Exception? _failure;
    private volatile bool _stop;

    /// <summary>Starts <paramref name="count"/> − 1 threads; the caller of a loop is the remaining worker.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="count"/> is less than 1.</exception>
    public Workers(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Count = count;
        _threads = new Thread[count - 1];
        _sleepers = [.. _threads.Select(_ => new Sleeper())];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            _threads[i] = new Thread(() => Serve(worker)) { IsBackground = true, Name = $"lavt worker {worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>The workers that kernels use on this thread: those set with <see cref="Use"/>, otherwise one per core.</summary>
    public static Workers Current => t_current ?? Default();

    /// <summary>The number of workers.</summary>
    public int Count { get; }

    /// <summary>Makes kernels that are called on this thread use these workers (null: the default ones again).</summary>
    public static void Use(Workers? workers) => t_current = workers;

    /// <summary>Sets the number of default workers; more than there are cores are never started, for they would only get in each other's way.</summary>
    public static void SetDefaultCount(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Workers workers = new(Math.Min(count, Environment.ProcessorCount));
        Interlocked.Exchange(ref s_shared, workers)?.Dispose();
    }

    /// <summary>
    /// Runs <paramref name="body"/> for 0 … <paramref name="pieces"/> − 1 and returns when all are done. What the body throws on
    /// any thread is thrown here; of several exceptions one.
    /// </summary>
    public void For<TBody>(int pieces, ref TBody body)
        where TBody : struct, ILoopBody
    {
        if (pieces <= 0) return;
        if (KernelProfile.Current is { } profile) profile.Run(this, pieces, ref body);
        else Share(pieces, ref body);
    }

    /// <summary>The loop itself.</summary>
    internal void Share<TBody>(int pieces, ref TBody body)
        where TBody : struct, ILoopBody
    {
        if (Count == 1 || pieces == 1 || t_inside || Interlocked.CompareExchange(ref _shared.Busy, 1, 0) != 0)
        {
            RunAlone(pieces, ref body);
            return;
        }
        // The body lives on this thread's stack; the workers are done with it before this method returns.
        _shared.Body = (nint)Unsafe.AsPointer(ref body);
        _shared.Run = (nint)(delegate*<nint, int, int, void>)&Call<TBody>;
        _shared.Pieces = pieces;
        _shared.Failed = 0;
        _shared.Next = 0;
        Volatile.Write(ref _shared.Inside, Open);
        Interlocked.Increment(ref _shared.Epoch);
        foreach (Sleeper sleeper in _sleepers) sleeper.Wake();
        Exception? failure;
        t_inside = true;
        try
        {
            TakePieces(0);
        }
        finally
        {
            Close();
            failure = _shared.Failed != 0 ? _failure : null;
            t_inside = false;
            Volatile.Write(ref _shared.Busy, 0);
        }
        if (failure is not null) ExceptionDispatchInfo.Throw(failure);
    }

    /// <summary>
    /// Memory of at least <paramref name="bytes"/> bytes that belongs to the calling thread, valid until the thread asks
    /// again; 64-byte aligned, not cleared. A loop body that starts another loop must not hold it across that loop.
    /// </summary>
    public static void* Scratch(long bytes) => ThreadScratch.Get(bytes);

    /// <summary>Stops the threads.</summary>
    public void Dispose()
    {
        _stop = true;
        Interlocked.Increment(ref _shared.Epoch);
        foreach (Sleeper sleeper in _sleepers) sleeper.Wake();
        foreach (Thread thread in _threads) thread.Join();
    }

    private static Workers Default()
    {
        Workers? workers = Volatile.Read(ref s_shared);
        if (workers is not null) return workers;
        workers = new Workers(Environment.ProcessorCount);
        Workers? other = Interlocked.CompareExchange(ref s_shared, workers, null);
        if (other is null) return workers;
        workers.Dispose();
        return other;
    }

    private static void Call<TBody>(nint body, int index, int worker)
        where TBody : struct, ILoopBody => Unsafe.AsRef<TBody>((void*)body).Run(index, worker);

    private static void RunAlone<TBody>(int pieces, ref TBody body)
        where TBody : struct, ILoopBody
    {
        for (int i = 0; i < pieces; i++) body.Run(i, 0);
    }

    private void Serve(int worker)
    {
        t_inside = true;
        int seen = 0;
        while (true)
        {
            int spins = 0;
            while (Volatile.Read(ref _shared.Epoch) == seen)
            {
                if (_stop) return;
                if (++spins < SpinsBeforeSleep)
                {
                    Thread.SpinWait(4);
                    continue;
                }
                _sleepers[worker - 1].SleepWhile(ref _shared.Epoch, seen);
                spins = 0;
            }
            seen = Volatile.Read(ref _shared.Epoch);
            if (_stop) return;
            if (!TryEnter()) continue;
            try
            {
                TakePieces(worker);
            }
            catch (Exception failure)
            {
                _failure = failure;
                Volatile.Write(ref _shared.Failed, 1);
            }
            Interlocked.Decrement(ref _shared.Inside);
        }
    }

    /// <summary>Joins the loop that is open; false if the others were through before this worker woke.</summary>
    private bool TryEnter()
    {
        int inside = Volatile.Read(ref _shared.Inside);
        while ((inside & Open) != 0)
        {
            int before = Interlocked.CompareExchange(ref _shared.Inside, inside + 1, inside);
            if (before == inside) return true;
            inside = before;
        }
        return false;
    }

    /// <summary>Lets no more workers in and waits for those inside; one that never woke is not waited for.</summary>
    private void Close()
    {
        Interlocked.And(ref _shared.Inside, ~Open);
        for (int spins = 0; Volatile.Read(ref _shared.Inside) != 0; spins++)
        {
            // A worker that was put off its core needs ours.
            if (spins < SpinsBeforeSleep) Thread.SpinWait(1);
            else Thread.Yield();
        }
    }

    private void TakePieces(int worker)
    {
        var run = (delegate*<nint, int, int, void>)_shared.Run;
        nint body = _shared.Body;
        int pieces = _shared.Pieces;
        while (true)
        {
            int index = Interlocked.Increment(ref _shared.Next) - 1;
            if (index >= pieces) return;
            run(body, index, worker);
        }
    }

    /// <summary>What the threads share, each contended word on a cache line of its own.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 512)]
    private struct Shared
    {
        [FieldOffset(0)]
        public nint Body;
        [FieldOffset(8)]
        public nint Run;
        [FieldOffset(16)]
        public int Pieces;
        [FieldOffset(20)]
        public int Failed;
        [FieldOffset(128)]
        public int Epoch;
        [FieldOffset(192)]
        public int Next;
        [FieldOffset(256)]
        public int Inside;
        [FieldOffset(320)]
        public int Busy;
    }

    /// <summary>
    /// Puts one worker to sleep and wakes it. Each worker has its own, for a worker that wakes and soon sleeps again must
    /// not take a wake-up that was meant for another.
    /// </summary>
    private sealed class Sleeper
    {
        private readonly SemaphoreSlim _signal = new(0);
        private int _asleep;

        /// <summary>Sleeps as long as <paramref name="word"/> has the value <paramref name="value"/>.</summary>
        public void SleepWhile(ref int word, int value)
        {
            Interlocked.Exchange(ref _asleep, 1);
            // If the word changed meanwhile and nobody saw us asleep, there is no signal to wait for.
            if (Volatile.Read(ref word) != value && Interlocked.Exchange(ref _asleep, 0) == 1) return;
            _signal.Wait();
        }

        /// <summary>Wakes the worker if it sleeps.</summary>
        public void Wake()
        {
            if (Interlocked.Exchange(ref _asleep, 0) == 1) _signal.Release();
        }
    }

    /// <summary>The scratch memory of one thread.</summary>
    private static class ThreadScratch
    {
        [ThreadStatic]
        private static nint t_block;

        [ThreadStatic]
        private static long t_bytes;

        public static void* Get(long bytes)
        {
            if (t_bytes < bytes)
            {
                if (t_block != 0) NativeMemory.AlignedFree((void*)t_block);
                t_bytes = bytes + bytes / 8;
                t_block = (nint)NativeMemory.AlignedAlloc((nuint)t_bytes, 64);
            }
            return (void*)t_block;
        }
    }
}
