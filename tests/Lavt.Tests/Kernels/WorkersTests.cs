using Lavt.Kernels;
using Xunit;

namespace Lavt.Tests.Kernels;

public unsafe class WorkersTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void Every_piece_runs_once_also_after_the_workers_slept(int count)
    {
        using Workers workers = new(count);
        int* counts = stackalloc int[64];
        for (int round = 0; round < 400; round++)
        {
            new Span<int>(counts, 64).Clear();
            CountBody body = new() { Counts = counts };
            workers.For(64, ref body);
            for (int i = 0; i < 64; i++) Assert.Equal(1, counts[i]);
            // Now and then long enough for all workers, or some of them, to fall asleep.
            if (round % 16 == 0) Thread.Sleep(round % 5);
        }
    }

    [Fact]
    public void A_loop_inside_a_loop_and_loops_of_two_threads_at_once_are_complete()
    {
        using Workers workers = new(3);
        long total = 0;
        Parallel.For(0, 4, _ =>
        {
            Workers.Use(workers);
            NestedBody body = new() { Workers = System.Runtime.InteropServices.GCHandle.Alloc(workers) };
            long own = 0;
            body.Sum = &own;
            for (int round = 0; round < 100; round++) workers.For(8, ref body);
            body.Workers.Free();
            Interlocked.Add(ref total, own);
            Workers.Use(null);
        });
        Assert.Equal(4 * 100 * 8 * 5, total);
    }

    [Fact]
    public void A_failure_in_a_worker_reaches_the_caller()
    {
        using Workers workers = new(2);
        FailingBody body = default;
        Assert.ThrowsAny<Exception>(() =>
        {
            FailingBody own = body;
            workers.For(16, ref own);
        });
        CountBody after = new() { Counts = (int*)System.Runtime.InteropServices.NativeMemory.AllocZeroed(64) };
        workers.For(4, ref after);
        Assert.Equal(1, after.Counts[3]);
        System.Runtime.InteropServices.NativeMemory.Free(after.Counts);
    }

    private struct CountBody : ILoopBody
    {
        public int* Counts;

        public readonly void Run(int index, int worker) => Interlocked.Increment(ref Counts[index]);
    }

    private struct NestedBody : ILoopBody
    {
        public System.Runtime.InteropServices.GCHandle Workers;
        public long* Sum;

        public readonly void Run(int index, int worker)
        {
            AddBody inner = new() { Sum = Sum };
            ((Workers)Workers.Target!).For(5, ref inner);
        }
    }

    private struct AddBody : ILoopBody
    {
        public long* Sum;

        public readonly void Run(int index, int worker) => Interlocked.Increment(ref *Sum);
    }

    private struct FailingBody : ILoopBody
    {
        public readonly void Run(int index, int worker) => throw new ArithmeticException("planned");
    }
}
