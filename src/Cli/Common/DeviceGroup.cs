using Lavt.Nn.Parallel;
using Lavt.Options;

namespace Lavt.Cli;

/// <summary>Runs a command on all devices: threads of this process, or the processes that a launcher started.</summary>
internal static class DeviceGroup
{
    /// <summary>How long other processes leave the word to the first one, which most often has the same error.</summary>
    private static readonly TimeSpan s_courtesy = TimeSpan.FromSeconds(2);

    /// <summary>Runs <paramref name="work"/> once per device and returns the exit code of the first one.</summary>
    /// <exception cref="OptionException">Processes were started that are to have several devices each.</exception>
    public static int Run(MachineOptions machine, Func<CollectiveQueue, int> work)
    {
        var launch = LaunchEnvironment.Read();
        int local = machine.Devices.Count;
        if (launch.Meeting != Meeting.None)
        {
            return local == 1
                ? RunProcess(launch, work)
                : throw new OptionException("--device", $"{launch.Size} processes were started, each of which has one device; leave the flag out, or start one process");
        }
        if (local == 1) return work(new CollectiveQueue());
        int code = ExitCode.Ok;
        DeviceThreads.Run(local, Machine.Threads(machine), devices =>
        {
            int own = work(devices);
            if (devices.Rank == 0) code = own;
        });
        return code;
    }

    private static int RunProcess(LaunchEnvironment launch, Func<CollectiveQueue, int> work)
    {
        CollectiveQueue devices = launch.Join(why => End(launch, new CommunicationException(why)));
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
