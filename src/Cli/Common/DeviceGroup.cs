using Lavt.Kernels.Cuda.Driver;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Cli;

/// <summary>Runs a command on all devices: threads of this process, or the processes that a launcher started.</summary>
internal static class DeviceGroup
{
    /// <summary>How long other processes leave the word to the first one, which most often has the same error.</summary>
    private static readonly TimeSpan s_courtesy = TimeSpan.FromSeconds(2);

    /// <summary>
    /// Runs <paramref name="work"/> once per device, with options that name that device alone, and returns the exit code of the first one.
    /// </summary>
    /// <exception cref="OptionException">Processes were started that are to have several devices each.</exception>
    public static int Run(LavtOptions options, Func<LavtOptions, CollectiveQueue, int> work)
    {
        IReadOnlyList<Device> local = options.Machine.Devices;
        var launch = LaunchEnvironment.Read();
        if (launch.Meeting != Meeting.None) return RunProcess(launch, options.Machine.Device, devices => work(options, devices));
        if (local.Count == 1) return work(options, new CollectiveQueue());
        int code = ExitCode.Ok;
        DeviceThreads.Run(local.Count, Machine.Threads(options.Machine), devices =>
        {
            int own = work(options with { Machine = options.Machine with { DeviceNames = local[devices.Rank].ToString() } }, devices);
            if (devices.Rank == 0) code = own;
        }, local[0].IsCuda ? [.. local.Select(CudaDevice.Of)] : null);
        return code;
    }

    private static int RunProcess(LaunchEnvironment launch, Device device, Func<CollectiveQueue, int> work)
    {
        CollectiveQueue devices = launch.Join(why => End(launch, new CommunicationException(why)), device.IsCuda ? CudaDevice.Of(device) : null);
        try
        {
            int code = work(devices);
            devices.Dispose();
            return code;
        }
        catch (Exception error)
        {
            devices.Abort($"rank {launch.Rank} failed: {error.Message}");
            return End(launch, error);
        }
    }

    /// <summary>Ends the process without waiting for the others: what they still send will never be complete.</summary>
    private static int End(LaunchEnvironment launch, Exception error)
    {
        if (launch.Rank > 0) Thread.Sleep(s_courtesy);
        int code = ErrorReport.Print(error, launch.Rank > 0 ? $"rank {launch.Rank}: " : "");
        Environment.Exit(code);
        return code;
    }
}
