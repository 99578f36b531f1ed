using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Tensors;

public class TensorTests
{
    [Fact]
    public void Views_share_memory_and_read_in_row_major_order()
    {
        Tensor t = Tensor.From(new float[] { 0, 1, 2, 3, 4, 5 }, [2, 3]);
        Tensor transposed = t.ViewPermuted(1, 0);
        Assert.False(transposed.IsContiguous);
        Assert.Equal(new float[] { 0, 3, 1, 4, 2, 5 }, transposed.ToArray<float>());
        Assert.Equal(new float[] { 1, 4 }, t.ViewSlice(1, 1, 1).ToArray<float>());
        t.Span<float>()[0] = 7;
        Assert.Equal(7, transposed.ToArray<float>()[0]);
    }

    [Fact]
    public void A_scope_frees_what_it_does_not_return()
    {
        Tensor inner, outer;
        using (MemoryScope a = MemoryScope.Begin())
        {
            using (MemoryScope b = MemoryScope.Begin())
            {
                inner = Tensor.Zeros([4]);
                outer = b.Return(Tensor.Zeros([4]));
            }
            Assert.Throws<ObjectDisposedException>(() => inner.ToArray<float>());
            Assert.Equal(4, outer.ToArray<float>().Length);
        }
        Assert.Throws<ObjectDisposedException>(() => outer.ToArray<float>());
    }

    [Fact]
    public void Steady_state_asks_the_system_for_no_memory()
    {
        static void Step()
        {
            using MemoryScope scope = MemoryScope.Begin();
            for (int i = 1; i < 20; i++) Tensor.Empty([i, 1000]);
        }
        Step();
        long before = HostAllocator.SystemAllocations;
        for (int i = 0; i < 10; i++) Step();
        Assert.Equal(before, HostAllocator.SystemAllocations);
    }

    [Fact]
    public void Memory_of_one_size_serves_another()
    {
        long size = 300L << 20;
        HostAllocator.Release(HostAllocator.Allocate(size), size);
        long before = HostAllocator.SystemAllocations;
        nint[] halves = [HostAllocator.Allocate(size / 2), HostAllocator.Allocate(size / 2)];
        Assert.Equal(before, HostAllocator.SystemAllocations);
        foreach (nint half in halves) HostAllocator.Release(half, size / 2);
        HostAllocator.Trim();
    }

    [Fact]
    public void Philox_gives_the_published_numbers()
    {
        // Known-answer test of Random123: counter and key all ones.
        Assert.Equal((0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu), Philox.Block(ulong.MaxValue, ulong.MaxValue, ulong.MaxValue));
        Assert.Equal((0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u), Philox.Block(0, 0, 0));
    }
}
