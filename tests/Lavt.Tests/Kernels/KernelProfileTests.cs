using System.Runtime.InteropServices;
using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Kernels;

public unsafe class KernelProfileTests
{
    [Fact]
    public void Kernels_of_one_size_share_a_row_with_their_calls_and_work()
    {
        using GuardedArray<float> a = new(new float[6]), b = new(new float[12]), c = new(8);
        using (KernelProfile profile = KernelProfile.Begin())
        {
            for (int i = 0; i < 3; i++) Gemm.Run(2, 4, 3, new Matrix(a.Pointer, 3, 1), new Matrix(b.Pointer, 4, 1), c.Pointer, 4, new Epilogue { Activation = Activation.Gelu });
            Elementwise.Add(a.Pointer, a.Pointer, a.Pointer, 6);
            KernelTime product = Assert.Single(profile.Times, t => t.Name == "Gemm 2 x 3 -> 4, gelu");
            Assert.Equal((3, 3 * 2.0 * 2 * 3 * 4, 3 * 4.0 * (6 + 12 + 8)), (product.Calls, product.Flops, product.Bytes));
            Assert.Contains(profile.Times, t => t.Name.StartsWith("Elementwise", StringComparison.Ordinal) && t.Calls == 1);
            Assert.Equal(profile.Times.OrderByDescending(t => t.Seconds), profile.Times);
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Loops_inside_loops_and_those_of_other_threads_are_not_counted(int count)
    {
        using Workers workers = new(count);
        using KernelProfile profile = KernelProfile.Begin();
        Outer outer = new() { Workers = GCHandle.Alloc(workers) };
        workers.For(5, ref outer);
        Thread other = new(() =>
        {
            Inner inner = default;
            workers.For(1, ref inner);
        });
        other.Start();
        other.Join();
        outer.Workers.Free();
        KernelTime only = Assert.Single(profile.Times);
        Assert.Equal(("KernelProfileTests.Outer", 1), (only.Name, only.Calls));
    }

    [Fact]
    public void A_profile_ends_when_it_is_disposed_of_and_also_a_loop_that_failed_ends()
    {
        using Workers workers = new(1);
        KernelProfile first = KernelProfile.Begin();
        Assert.Throws<InvalidOperationException>(KernelProfile.Begin);
        Inner failing = new() { Fails = true };
        Assert.Throws<TimeoutException>(() => workers.For(1, ref failing));
        Inner inner = default;
        workers.For(1, ref inner);
        first.Dispose();
        workers.For(1, ref inner);
        Assert.Equal(1, Assert.Single(first.Times).Calls);
        using KernelProfile second = KernelProfile.Begin();
        Assert.Empty(second.Times);
    }

    private struct Outer : ILoopBody
    {
        public GCHandle Workers;

        public readonly void Run(int index, int worker)
        {
            Inner inner = default;
            ((Workers)Workers.Target!).For(2, ref inner);
        }
    }

    private struct Inner : ILoopBody
    {
        public bool Fails;

        public readonly void Run(int index, int worker)
        {
            if (Fails) throw new TimeoutException();
        }
    }
}
