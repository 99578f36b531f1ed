using Lavt.Autograd;
using Lavt.Kernels.Cuda;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Sums and copies over several GPUs of one process, connected or not.</summary>
public sealed class PeerRingTests
{
    private const int PartAlignment = 64;

    public static TheoryData<int[], int> Rings() => new()
    {
        { [0, 1], 1 }, { [0, 1], 65 }, { [1, 0], 1000 }, { [0, 1, 2], 500 }, { [3, 1, 2, 0], 64 }, { [0, 1, 2, 3], 1021 },
        // Several pieces, the last of them not whole.
        { [0, 1], (4 << 20) / sizeof(float) * 2 + 333 },
        // GPUs that reach each other only through the host, and a ring in which some do.
        { [4, 5], 777 }, { [0, 1, 6], 777 }, { [4, 5], (4 << 20) / sizeof(float) * 6 + 333 },
        // One GPU with two members.
        { [0, 0], 130 }, { [0], 10 },
    };

    [Theory]
    [MemberData(nameof(Rings))]
    public void Sums_are_those_of_the_rings_order_on_all_GPUs(int[] devices, int count)
    {
        float[][] values = [.. devices.Select((_, rank) => Enumerable.Range(0, count).Select(i => MathF.Sin(i + 1000 * rank) * (1 + i % 7)).ToArray())];
        foreach (float[] found in Sum(devices, values, (total, x) => total + x)) Assert.Equal(Expected(values, (total, x) => total + x), found);
    }

    [Fact]
    public void Sums_in_double_are_exact_too()
    {
        double[][] values = [.. Enumerable.Range(0, 3).Select(rank => Enumerable.Range(0, 301).Select(i => Math.Sin(i + 1000 * rank)).ToArray())];
        foreach (double[] found in Sum([0, 1, 2], values, (total, x) => total + x)) Assert.Equal(Expected(values, (total, x) => total + x), found);
    }

    [Theory]
    [InlineData(0, 1, 2, 3)]
    [InlineData(1, 4, 0, 5)]
    public void A_broadcast_gives_all_what_one_has(params int[] devices)
    {
        CudaDevice[] gpus = Gpu.Devices(devices);
        using MemoryScope scope = MemoryScope.Begin();
        using var ring = new PeerRing(gpus);
        for (int root = 0; root < gpus.Length; root++)
        {
            // 5 MiB and 3 bytes.
            Tensor[] arrays = [.. gpus.Select((gpu, rank) => Tensor.From([.. Enumerable.Range(0, (5 << 20) + 3).Select(i => (byte)(i % 251 + rank))], [(5 << 20) + 3]).CopyTo(gpu.Device))];
            byte[] expected = arrays[root].ToArray<byte>();
            Finish(gpus, ring.Broadcast(Addresses(arrays), arrays[0].Count, root, Ready(gpus)));
            Assert.All(arrays, array => Assert.Equal(expected, array.ToArray<byte>()));
        }
    }

    [Fact]
    public void Only_GPUs_that_are_not_connected_go_through_the_host()
    {
        if (!Gpu.IsEmulated) Assert.Skip("knows the connections of the emulated GPUs");
        using PeerRing connected = new(Gpu.Devices(0, 1, 2)), apart = new(Gpu.Devices(4, 5)), mixed = new(Gpu.Devices(0, 1, 4));
        Assert.Equal((0, 2, 2), (connected.StagedLinks, apart.StagedLinks, mixed.StagedLinks));
    }

    [Theory]
    [InlineData(0, 1)]
    [InlineData(4, 5)]
    public void Sums_come_behind_what_was_computed_before_and_before_what_is_computed_after(int one, int other)
    {
        CudaDevice[] gpus = Gpu.Devices(one, other);
        using MemoryScope scope = MemoryScope.Begin();
        using var ring = new PeerRing(gpus);
        Tensor[] arrays = [.. gpus.Select(gpu => Tensor.Empty([3000], DType.F32, gpu.Device))];
        // Three sums one after the other, of which nobody waits for on the host; a GPU changes its numbers as soon as it may.
        for (int round = 0; round < 3; round++)
        {
            foreach (Tensor array in arrays) array.CopyFrom(round == 0 ? Full(array, 1) : Ops.Scale(array, 3));
            Finish(gpus, ring.Sum(Addresses(arrays), 3000, DType.F32, Ready(gpus)));
        }
        Assert.All(arrays, array => Assert.All(array.ToArray<float>(), value => Assert.Equal(72, value)));
    }

    [Fact]
    public void Copies_between_GPUs_that_are_not_connected_go_through_the_host()
    {
        CudaDevice[] gpus = Gpu.Devices(0, 5);
        using MemoryScope scope = MemoryScope.Begin();
        Tensor x = Ops.Scale(Tensor.From([1f, 2, 3], [3]).CopyTo(gpus[0].Device), 2), there = x.CopyTo(gpus[1].Device);
        Assert.Equal([4f, 8, 12], Ops.Scale(there, 2).CopyTo(gpus[0].Device).ToArray<float>());
    }

    private static unsafe Tensor Full(Tensor like, float value)
    {
        Tensor full = like.EmptyLike(like.Shape);
        Elementwise.Fill(CudaStream.Of(like.Device), full.DevicePointer<float>(), value, full.Count);
        return full;
    }

    private static T[][] Sum<T>(int[] devices, T[][] values, Func<T, T, T> add)
        where T : unmanaged
    {
        CudaDevice[] gpus = Gpu.Devices(devices);
        using MemoryScope scope = MemoryScope.Begin();
        using var ring = new PeerRing(gpus);
        Tensor[] arrays = [.. values.Select((own, rank) => Tensor.From(own, [own.Length]).CopyTo(gpus[rank].Device))];
        Finish(gpus, ring.Sum(Addresses(arrays), arrays[0].Count, arrays[0].DType, Ready(gpus)));
        return [.. arrays.Select(array => array.ToArray<T>())];
    }

    /// <summary>Part k goes around from member k on.</summary>
    private static T[] Expected<T>(T[][] values, Func<T, T, T> add)
    {
        int n = values.Length, count = values[0].Length, part = ((count + n - 1) / n + PartAlignment - 1) / PartAlignment * PartAlignment;
        return [.. Enumerable.Range(0, count).Select(i => Enumerable.Range(0, n).Select(k => values[(i / part + k) % n][i]).Aggregate(add))];
    }

    private static nint[] Addresses(Tensor[] arrays) => [.. arrays.Select(array => array.Storage.Data)];

    private static CudaEvent[] Ready(CudaDevice[] gpus) => [.. gpus.Select(gpu =>
    {
        var mark = new CudaEvent(gpu);
        mark.Record(gpu.Stream);
        return mark;
    })];

    private static void Finish(CudaDevice[] gpus, CudaEvent[] done)
    {
        for (int rank = 0; rank < gpus.Length; rank++) gpus[rank].Stream.Wait(done[rank]);
    }
}
