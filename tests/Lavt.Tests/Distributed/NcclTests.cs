using System.Diagnostics;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Nn.Parallel;
using Lavt.Tensors;
using Lavt.Tests.Cuda;
using Xunit;

namespace Lavt.Tests.Distributed;

/// <summary>
/// GPUs of several processes, which are this test program again with the one test <see cref="Member"/>. With emulated GPUs the library is
/// the emulator's stand-in for NCCL: its binding and all around it are tested, NCCL itself is not.
/// </summary>
public sealed class NcclTests
{
    [Theory]
    [InlineData("tcp")]
    [InlineData("mpi")]
    public async Task Processes_with_a_GPU_each_equal_one_GPU_with_the_whole_batch(string meeting)
    {
        Gpu.Devices(0, 1);
        Assert.SkipUnless(meeting == "tcp" || MpiTests.IsInstalled, MpiTests.InstallAdvice);
        string[] test = ["dotnet", typeof(NcclTests).Assembly.Location, "-method", $"{typeof(NcclTests).FullName}.{nameof(Member)}", "-noColor"];
        int port = Job.FreePort();
        Process[] started = meeting == "mpi"
            ? [Start("mpirun", [.. MpiTests.Options, "-np", "2", .. test])]
            : [.. Enumerable.Range(0, 2).Select(rank => Start(test[0], test[1..], ("RANK", $"{rank}"), ("WORLD_SIZE", "2"), ("LOCAL_RANK", $"{rank}"), ("LOCAL_WORLD_SIZE", "2"), ("MASTER_ADDR", "127.0.0.1"), ("MASTER_PORT", $"{port}")))];
        string all = string.Join('\n', await Task.WhenAll(started.Select(process => process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken))));
        foreach (Process process in started) await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.True(started.All(process => process.ExitCode == 0), all);
        Assert.Equal(2, all.Split("Total: 1, Errors: 0, Failed: 0, Skipped: 0").Length - 1);
    }

    /// <summary>What each process does.</summary>
    [Fact]
    public void Member()
    {
        var launch = LaunchEnvironment.Read();
        Assert.SkipWhen(launch.Meeting == Meeting.None, "started by Processes_with_a_GPU_each_equal_one_GPU_with_the_whole_batch");
        _ = Gpu.Device;
        CudaDevice gpu = CudaDevice.Open(launch.GpuOf(CudaDevice.Count));
        using CollectiveQueue devices = launch.Join(_ => { }, gpu);
        CheckOperations(devices, gpu.Device);
        ReplicaRun one = GpuReplicaTests.One with { Steps = 3 };
        (double[] Losses, Dictionary<string, double[]> State) found = (one with { Devices = 2, Samples = 2, Gpus = [0, 1], ShardOptimizer = true }).RunOne(devices);
        // Before what may fail: the other process would wait.
        devices.Barrier();
        if (devices.Rank == 0) GpuReplicaTests.Compare(one, one.RunOne(new CollectiveQueue()), found);
    }

    [Fact]
    public void One_process_alone_keeps_what_it_has()
    {
        CudaDevice gpu = Gpu.Device;
        using MemoryScope scope = MemoryScope.Begin();
        Tensor x = Gpu.From([1f, 2, 3], [3]);
        using var group = new NcclGroup(gpu, 0, 1, NcclGroup.NewId());
        using var ready = new CudaEvent(gpu);
        ready.Record(gpu.Stream);
        gpu.Stream.Wait(group.Sum(x.Storage.Data, 3, DType.F32, ready));
        Assert.Equal([1f, 2, 3], x.ToArray<float>());
    }

    [Fact]
    public void A_failed_call_names_itself_and_what_it_means()
    {
        CudaDevice gpu = Gpu.Device;
        NcclException rank = Assert.Throws<NcclException>(() => new NcclGroup(gpu, 2, 1, NcclGroup.NewId()));
        Assert.Contains("ncclCommInitRank of rank 2 of 1 on cuda:0", rank.Message, StringComparison.Ordinal);
        Assert.Contains("invalid argument (4)", rank.Message, StringComparison.Ordinal);
        if (!Gpu.IsEmulated) return;
        Assert.Contains("no such rank", rank.Message, StringComparison.Ordinal);
        using var group = new NcclGroup(gpu, 0, 1, NcclGroup.NewId());
        using var ready = new CudaEvent(gpu);
        NcclException root = Assert.Throws<NcclException>(() => group.Broadcast(0, 8, 3, ready));
        Assert.Contains("ncclBroadcast of 8 bytes from rank 3: invalid argument (4): no such root", root.Message, StringComparison.Ordinal);
        Assert.Equal(Lavt.Cli.ExitCode.Distributed, Lavt.Cli.ErrorReport.CodeOf(root));
    }

    private static void CheckOperations(CollectiveQueue devices, Device gpu)
    {
        using MemoryScope scope = MemoryScope.Begin();
        const int Count = 300_001;
        Tensor floats = Tensor.From([.. Enumerable.Range(0, Count).Select(i => (float)(i % 7 * (devices.Rank + 1)))], [Count]).CopyTo(gpu);
        Tensor doubles = Tensor.From([0.1, 0.2 * devices.Rank], [2]).CopyTo(gpu), bytes = Tensor.From([(byte)(devices.Rank + 1), (byte)7], [2]).CopyTo(gpu);
        devices.Sum(floats).Wait();
        devices.Sum(doubles).Wait();
        devices.Broadcast(bytes, 1).Wait();
        Assert.All(floats.ToArray<float>().Index(), entry => Assert.Equal(entry.Index % 7 * 3, entry.Item));
        Assert.Equal([0.1 + 0.1, 0.2], doubles.ToArray<double>());
        Assert.Equal([(byte)2, (byte)7], bytes.ToArray<byte>());
    }

    private static Process Start(string program, string[] arguments, params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true };
        foreach ((string name, string value) in variables) start.Environment[name] = value;
        return Process.Start(start)!;
    }
}
