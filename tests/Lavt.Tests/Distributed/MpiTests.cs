using System.Diagnostics;
using System.Globalization;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Xunit;

namespace Lavt.Tests.Distributed;

/// <summary>Processes that mpirun starts. They are this test program again, with the one test <see cref="Member"/>.</summary>
public sealed unsafe class MpiTests
{
    /// <summary>mpirun as tests use it: more ranks than cores, and as root.</summary>
    public static readonly string[] Options = ["--allow-run-as-root", "--oversubscribe", "--bind-to", "none", "--mca", "pml", "ob1", "--mca", "btl", "tcp,self,vader"];

    /// <summary>Whether mpirun is there.</summary>
    public static bool IsInstalled => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(Path.Combine(folder, "mpirun")));

    public const string InstallAdvice = "mpirun is not installed (apt-get install openmpi-bin)";

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Processes_equal_one_device_with_the_whole_batch(int processes)
    {
        Assert.SkipUnless(IsInstalled, InstallAdvice);
        (int code, string output) = Run("mpirun", [.. Options, "-np", processes.ToString(CultureInfo.InvariantCulture), "dotnet", typeof(MpiTests).Assembly.Location, "-method", $"{typeof(MpiTests).FullName}.{nameof(Member)}", "-noColor"]);
        Assert.True(code == 0, output);
        Assert.Equal(processes, output.Split("Total: 1, Errors: 0, Failed: 0, Skipped: 0").Length - 1);
    }

    /// <summary>What each process does.</summary>
    [Fact]
    public void Member()
    {
        var launch = LaunchEnvironment.Read();
        Assert.SkipUnless(launch.Meeting == Meeting.Mpi, "not started by mpirun; Processes_equal_one_device_with_the_whole_batch starts it");
        using CollectiveQueue devices = launch.Join(_ => { });
        Assert.Equal((launch.Rank, launch.Size), (devices.Rank, devices.Size));
        CheckOperations(devices);

        var one = new ReplicaRun { Samples = 4, Loss = LossKind.CrossEntropy };
        ReplicaRun shared = one with { Devices = devices.Size, Samples = 4 / devices.Size, ShardOptimizer = true };
        (double[] Losses, Dictionary<string, double[]> State) found = shared.RunOne(devices);
        if (devices.Rank == 0) DataParallelTests.Compare(one.RunOne(new CollectiveQueue()), found, DataParallelTests.Bar);
        devices.Barrier();
    }

    private static void CheckOperations(CollectiveQueue devices)
    {
        int size = devices.Size, rank = devices.Rank;
        double[] sums = [rank, 0.1 * rank];
        devices.Sum(sums);
        Assert.Equal(size * (size - 1) / 2, sums[0]);
        float[] many = [.. Enumerable.Range(0, 100_003).Select(i => (float)(i % 7 * (rank + 1)))];
        fixed (float* pointer = many)
        {
            nint address = (nint)pointer;
            devices.Start(member => member.Sum((float*)address, 100_003)).Wait();
        }
        Assert.All(many.Index(), entry => Assert.Equal(entry.Index % 7 * (size * (size + 1) / 2), entry.Item));
        byte[][] all = devices.Gather([.. Enumerable.Repeat((byte)rank, 3 * rank)]);
        Assert.Equal(Enumerable.Range(0, size).Select(i => 3 * i), all.Select(part => part.Length));
        Assert.All(all.Index(), part => Assert.All(part.Item, value => Assert.Equal(part.Index, value)));
        Assert.True(devices.Any(rank == size - 1));
        Assert.False(devices.Any(false));
    }

    private static (int ExitCode, string Output) Run(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + errors.Result);
    }
}
