using Lavt.Kernels.Cuda.Driver;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Tests.Cuda;
using Xunit;

namespace Lavt.Tests.Distributed;

/// <summary>Several GPUs of one process give what one gives with the whole batch.</summary>
public sealed class GpuReplicaTests
{
    internal static ReplicaRun One => ReplicaRun.Rounded with { Gpus = [0] };

    /// <summary>Of weights, statistics and moments beside the largest number of each tensor, in float32; losses have the bar of doubles.</summary>
    private const double Float32Bar = 2e-5;

    /// <summary>Compares losses, weights, statistics and moments with those of one GPU, which are compared with double in turn.</summary>
    internal static void Compare(ReplicaRun run, (double[] Losses, Dictionary<string, double[]> State) one, (double[] Losses, Dictionary<string, double[]> State) many)
    {
        DataParallelTests.Compare(one, many, DataParallelTests.Bar, Float32Bar, One.LearningRate / One.Epsilon);
        DataParallelTests.CompareRounded((run with { Gpus = [], Type = DType.F64 }).RunOne(new CollectiveQueue()), one, many);
    }

    [Fact]
    public void GPUs_equal_one_GPU_with_the_whole_batch_and_their_bits_are_the_same_in_every_run()
    {
        Gpu.Devices(0, 1, 2, 3, 4, 5);
        (double[] Losses, Dictionary<string, double[]> State) one = One.Run();
        ReplicaRun two = One with { Devices = 2, Samples = 2, Gpus = [0, 1] };
        (double[] Losses, Dictionary<string, double[]> State) first = two.Run();
        Compare(One, one, first);
        // Sums of gradients and of batch norm's statistics are in the GPUs' streams alone.
        Assert.Equal(0, Assert.Single(first.State[ReplicaRun.Waits]));
        Compare(One, one, (One with { Devices = 4, Samples = 1, Gpus = [0, 1, 2, 3], BucketBytes = 1 << 20 }).Run());
        // Again, with other buckets, the moments divided, and through the host.
        DataParallelTests.Compare(first, (two with { Gpus = [4, 5], ShardOptimizer = true, BucketBytes = 1 << 20 }).Run(), 0);
    }

    [Fact]
    public void A_GPU_without_memory_ends_all_with_one_message()
    {
        CudaDevice[] gpus = Gpu.Devices(0, 1, 2);
        if (!Gpu.IsEmulated) Assert.Skip("takes the memory of an emulated GPU away");
        ReplicaRun three = One with { Devices = 3, Samples = 1, Gpus = [0, 1, 2], Loss = LossKind.CrossEntropy };
        Gpu.SetMemory(gpus[1], gpus[1].Memory.BytesInUse + (5 << 20));
        try
        {
            CudaException error = Assert.Throws<CudaException>(() => three.Run());
            Assert.Contains("cuda:1 (CPU emulator) is out of memory", error.Message, StringComparison.Ordinal);
            Assert.Contains("use a smaller batch or picture", error.Message, StringComparison.Ordinal);
        }
        finally
        {
            Gpu.SetMemory(gpus[1], 8L << 30);
        }
        // And nothing of it is left that would hold up the next run.
        Assert.All((three with { Steps = 1 }).Run().Losses, loss => Assert.True(double.IsFinite(loss)));
    }

    [Fact]
    public void A_group_without_a_connection_of_GPUs_says_so()
    {
        Tensor x = Gpu.From([1f, 2], [2]);
        InvalidOperationException error = Assert.Throws<InvalidOperationException>(() => DeviceThreads.Run(2, 2, devices => devices.Sum(x).Wait()));
        Assert.Contains("no connection between GPUs", error.Message, StringComparison.Ordinal);
    }
}
