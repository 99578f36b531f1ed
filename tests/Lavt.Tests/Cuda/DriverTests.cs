using Lavt.Autograd;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Devices, streams, memory and graphs, and what their errors say.</summary>
public unsafe class DriverTests
{
    private static readonly CudaKernel s_add = new("Elementwise.cu", "elementwise_add");

    [Fact]
    public void A_launch_with_other_arguments_than_the_kernel_takes_is_refused()
    {
        CudaStream stream = Gpu.Device.Stream;
        CudaException count = Assert.Throws<CudaException>(() => s_add.Launch(stream, 1, 32, 0, 1f, 2f));
        Assert.Contains("elementwise_add in Elementwise.cu takes 4 arguments, got 2", count.Message, StringComparison.Ordinal);
        CudaException size = Assert.Throws<CudaException>(() => s_add.Launch(stream, 1, 32, 0, (void*)0, (void*)0, (void*)0, 5));
        Assert.Contains("parameter 3 has 8 bytes, the argument 4", size.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_refused_launch_says_which_and_why()
    {
        CudaException error = Assert.Throws<CudaException>(() => s_add.Launch(Gpu.Device.Stream, 1, 512, 0, (void*)0, (void*)0, (void*)0, 5L));
        Assert.Contains("elementwise_add in Elementwise.cu on cuda:0", error.Message, StringComparison.Ordinal);
        Assert.Contains("1 x 1 x 1 blocks of 512 threads", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Source_that_does_not_compile_shows_the_compilers_words()
    {
        _ = Gpu.Device;
        Compilation wrong = new("wrong.cu", "extern \"C\" __global__ void wrong(float* p) { p[0] = nothing; }", KernelSources.Headers, "sm_90a", []);
        CudaException error = Assert.Throws<CudaException>(() => wrong.Run());
        Assert.Contains("wrong.cu does not compile", error.Message, StringComparison.Ordinal);
        Assert.Contains("nothing", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_kernel_with_a_wrong_address_fails_when_the_host_waits_and_is_named()
    {
        if (!Gpu.IsEmulated) Assert.Skip("a real GPU's context is unusable after such an error");
        CudaStream stream = Gpu.Device.Stream;
        s_add.Launch(stream, 1, 32, 0, (void*)0, (void*)0, (void*)0, 5L);
        CudaException error = Assert.Throws<CudaException>(stream.Synchronize);
        Assert.Contains("elementwise_add: block (0,0,0), thread 0: illegal address", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Writing_beyond_a_buffer_is_reported()
    {
        if (!Gpu.IsEmulated) Assert.Skip("only the emulator watches the ends of buffers");
        using MemoryScope scope = MemoryScope.Begin();
        Tensor x = Gpu.From(new float[10], [10]);
        Lavt.Kernels.Cuda.Elementwise.Fill(Gpu.Device.Stream, x.DevicePointer<float>(), 1, 11);
        CudaException error = Assert.Throws<CudaException>(Gpu.Device.Stream.Synchronize);
        Assert.Contains("wrote beyond a buffer; the last was elementwise_fill", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Memory_that_nobody_wrote_is_not_a_number()
    {
        if (!Gpu.IsEmulated) Assert.Skip("only the emulator fills memory");
        using MemoryScope scope = MemoryScope.Begin();
        Assert.All(Tensor.Empty([100], DType.F32, Gpu.Device.Device).ToArray<float>(), value => Assert.True(float.IsNaN(value)));
    }

    [Fact]
    public void A_graph_runs_again_on_what_its_inputs_hold_then()
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor x = Gpu.From([1f, 2, 3], [3]), y = x.EmptyLike([3]);
        void Work()
        {
            using MemoryScope inner = MemoryScope.Begin();
            y.CopyFrom(Ops.Add(Ops.Multiply(x, x), x));
        }
        Work();
        using CudaGraph graph = CudaGraph.Capture(Gpu.Device, Work);
        foreach (float[] values in (float[][])[[4f, 5, 6], [-1f, 0, 7]])
        {
            x.CopyFrom(Tensor.From(values, [3]));
            graph.Launch();
            Assert.Equal(values.Select(v => v * v + v), y.ToArray<float>());
        }
    }

    [Fact]
    public void A_graph_cannot_wait_for_the_device_nor_keep_memory()
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor x = Gpu.From([1f], [1]);
        Refused("the host reads values of the device", () => x.ToArray<float>());
        Refused("values of the host are copied to the device", () => x.CopyFrom(Tensor.From([2f], [1])));
        Refused("the host waits for the device", Gpu.Device.Stream.Synchronize);
        Refused("the host waits for the device", Gpu.Device.Synchronize);
        Refused("a kernel of Losses.cu is loaded for the first time", () => new CudaKernel("Losses.cu", "none", $"-DNEVER_{Environment.TickCount64}").Load(Gpu.Device));
        CudaException kept = Assert.Throws<CudaException>(() => CudaGraph.Capture(Gpu.Device, () => Ops.Add(x, x)));
        Assert.Contains("kept 1 blocks of memory", kept.Message, StringComparison.Ordinal);
        Assert.Equal(2f, Ops.Add(x, x).Item<float>());

        static void Refused(string why, Action work)
        {
            CudaException error = Assert.Throws<CudaException>(() => CudaGraph.Capture(Gpu.Device, work));
            Assert.Contains($"while work on cuda:0 is captured as a graph, {why}; only kernels and copies", error.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Memory_of_a_failed_capture_does_no_harm()
    {
        Tensor x = Gpu.From([3f], [1]);
        using (MemoryScope scope = MemoryScope.Begin())
            Assert.Throws<CudaException>(() => CudaGraph.Capture(Gpu.Device, () => Ops.Add(x, x).ToArray<float>()));
        Assert.Equal(9f, Ops.Multiply(x, x).Item<float>());
        Gpu.Device.Synchronize();
    }

    [Fact]
    public void The_drivers_own_word_on_a_broken_capture_is_heard()
    {
        if (!Gpu.IsEmulated) Assert.Skip("tests the emulator's captures");
        CudaDevice device = Gpu.Device;
        using CudaStream other = new(device);
        using CudaEvent mark = new(device);
        mark.Record(other);
        CudaException across = Assert.Throws<CudaException>(() => CudaGraph.Capture(device, () => device.Stream.Wait(mark)));
        Assert.Contains("across the bounds of a capture", across.Message, StringComparison.Ordinal);
        CudaException waited = Assert.Throws<CudaException>(() => CudaGraph.Capture(device, () =>
        {
            mark.Record(device.Stream);
            mark.Synchronize();
        }));
        Assert.Contains("CUDA_ERROR_STREAM_CAPTURE", waited.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Uploads_copy_beside_the_computing_and_take_no_memory_anew(bool eager)
    {
        CudaDevice device = Gpu.Device;
        using MemoryScope scope = MemoryScope.Begin();
        Gpu.SetEager(eager);
        using HostUpload upload = new(device.Device);
        Gpu.SetEager(false);
        Tensor pictures = Tensor.Empty([3, 4]), ids = Tensor.Empty([2], DType.I64), there = Gpu.From([0.5f], [1]);
        List<Tensor> sums = [];
        for (int turn = 0; turn < 6; turn++)
        {
            pictures.Span<float>().Fill(turn);
            ids.Span<long>().Fill(10 + turn);
            DriverCalls start = DriverCalls.OfThisThread;
            Tensor[] copies = upload.Copy(pictures, ids, there);
            // Two turns fill two places.
            Assert.Equal(turn < 2 ? 4 : 0, (DriverCalls.OfThisThread - start).Allocations);
            // What is written next must not reach what was handed over.
            pictures.Span<float>().Fill(-1);
            if (turn == 5) Assert.Equal([10L + turn, 10 + turn], copies[1].ToArray<long>());
            Assert.Same(there, copies[2]);
            sums.Add(Ops.Add(copies[0], copies[0]));
        }
        for (int turn = 0; turn < 6; turn++) Assert.All(sums[turn].ToArray<float>(), value => Assert.Equal(2f * turn, value));
    }

    [Fact]
    public void Streams_run_beside_each_other_and_wait_where_they_are_told()
    {
        CudaDevice device = Gpu.Device;
        using MemoryScope scope = MemoryScope.Begin();
        using CudaStream copies = new(device);
        using CudaEvent copied = new(device);
        using PinnedMemory pinned = new(device, 4 * sizeof(float));
        Tensor x = Tensor.Empty([4], DType.F32, device.Device);
        new Span<float>((void*)pinned.Address, 4).Fill(3);
        using CudaEvent ready = new(device);
        ready.Record(device.Stream);
        copies.Wait(ready);
        pinned.CopyTo((nint)x.DevicePointer<float>(), pinned.Bytes, copies);
        copied.Record(copies);
        device.Stream.Wait(copied);
        Assert.Equal([6f, 6, 6, 6], Ops.Add(x, x).ToArray<float>());
    }

    [Fact]
    public void Tensors_move_between_host_and_devices()
    {
        if (CudaDevice.Count < 2) Assert.Skip("needs two GPUs");
        CudaDevice second = CudaDevice.Open(1);
        using MemoryScope scope = MemoryScope.Begin();
        Tensor x = Tensor.From([1f, 2, 3, 4, 5, 6], [2, 3]);
        Tensor there = Ops.To(Ops.To(x, Gpu.Device.Device), second.Device);
        Assert.Equal(second.Device, there.Device);
        Assert.True(second.Reaches(Gpu.Device));
        Assert.Equal(x.ToArray<float>(), Ops.To(there, Device.Cpu).ToArray<float>());
        Assert.Equal([1f, 4, 2, 5, 3, 6], there.ViewPermuted(1, 0).ToArray<float>());
    }

    [Fact]
    public void Gradients_flow_back_to_the_device_they_came_from()
    {
        _ = Gpu.Device;
        Tensor x = Tensor.From([1f, 2], [2]).RequireGradient();
        using MemoryScope scope = MemoryScope.Begin();
        using Tape tape = Tape.Begin();
        Tensor y = Ops.To(x, Gpu.Device.Device);
        tape.Backward(Ops.Sum(Ops.Multiply(y, y)));
        Assert.Equal(Device.Cpu, x.Gradient()!.Device);
        Assert.Equal([2f, 4], x.Gradient()!.ToArray<float>());
    }

    [Fact]
    public void Scopes_give_the_devices_memory_back()
    {
        CudaDevice second = CudaDevice.Open(Gpu.Device.Device.Index + CudaDevice.Count - 1);
        long before = second.Memory.BytesInUse;
        using (MemoryScope scope = MemoryScope.Begin())
        {
            Tensor x = Tensor.Zeros([1000], DType.F32, second.Device);
            Ops.Add(x, x);
            Assert.Equal(before + 8000, second.Memory.BytesInUse);
        }
        Assert.Equal(before, second.Memory.BytesInUse);
    }

    [Fact]
    public void Too_much_memory_and_missing_devices_are_named()
    {
        CudaDevice device = Gpu.Device;
        CudaException full = Assert.Throws<CudaException>(() => Tensor.Empty([1 << 20, 1 << 20], DType.F32, device.Device));
        Assert.Contains("is out of memory: 4194304 MiB more were asked for", full.Message, StringComparison.Ordinal);
        CudaException missing = Assert.Throws<CudaException>(() => CudaDevice.Open(63));
        Assert.Contains("there is no cuda:63", missing.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => Tensor.Empty([1], DType.F32, new Device(DeviceKind.Cuda, 62)));
    }

    [Fact]
    public void An_operation_without_kernel_names_itself_and_the_device()
    {
        Tensor x = Gpu.From([1f], [1]);
        MissingKernelException error = Assert.Throws<MissingKernelException>(() => x.Pointer<float>("Example"));
        Assert.Contains("Example has no kernel for cuda:0", error.Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => { Ops.Add(x, Tensor.From([1f], [1])); });
    }

    [Fact]
    public void Cached_kernels_are_whole_or_not_used()
    {
        _ = Gpu.Device;
        string key = $"test-{Guid.NewGuid():N}", file = Path.Combine(CubinCache.Folder, key + ".cubin");
        byte[] cubin = [1, 2, 3, 4, 5];
        Assert.False(CubinCache.TryRead(key, out _));
        System.Threading.Tasks.Parallel.For(0, 50, i =>
        {
            CubinCache.Write(key, cubin);
            Assert.True(CubinCache.TryRead(key, out byte[] read));
            Assert.Equal(cubin, read);
        });
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..^1]);
        Assert.False(CubinCache.TryRead(key, out _));
        File.Delete(file);
    }

    [Fact]
    public void Every_part_of_a_compilation_is_in_its_key()
    {
        _ = Gpu.Device;
        Dictionary<string, string> headers = new() { ["h.cuh"] = "int x;" }, changed = new() { ["h.cuh"] = "int y;" };
        string[] keys =
        [
            new Compilation("a.cu", "s", headers, "sm_80", []).Key, new Compilation("b.cu", "s", headers, "sm_80", []).Key,
            new Compilation("a.cu", "t", headers, "sm_80", []).Key, new Compilation("a.cu", "s", changed, "sm_80", []).Key,
            new Compilation("a.cu", "s", headers, "sm_90a", []).Key, new Compilation("a.cu", "s", headers, "sm_80", ["-DX"]).Key,
        ];
        Assert.Equal(keys.Length, keys.Distinct().Count());
        Assert.Equal(keys[0], new Compilation("a.cu", "s", headers, "sm_80", []).Key);
    }
}
