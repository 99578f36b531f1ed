using System.Diagnostics;

namespace Lavt.Tests.Distributed;

/// <summary>Two network namespaces with a cable between them, which are two machines to all that goes over the network.</summary>
public sealed class TwoMachines : IDisposable
{
    private readonly string[] _names = [$"lavt{Environment.ProcessId}a", $"lavt{Environment.ProcessId}b"];
    private readonly string _folder = Directory.CreateTempSubdirectory("lavt-machines-").FullName;

    public TwoMachines()
    {
        string[] commands =
        [
            $"netns add {_names[0]}", $"netns add {_names[1]}", $"link add cable0 netns {_names[0]} type veth peer name cable1 netns {_names[1]}",
            .. Enumerable.Range(0, 2).SelectMany(i => new[]
            {
                $"-n {_names[i]} addr add {Address(i)}/24 dev cable{i}", $"-n {_names[i]} link set lo up", $"-n {_names[i]} link set cable{i} up",
            }),
        ];
        Missing = commands.Select(Ip).FirstOrDefault(error => error is not null);
        // Stands in for ssh.
        File.WriteAllText(Agent, "#!/bin/sh\nhost=$1; shift\nexec ip netns exec \"$host\" unshare --uts sh -c 'hostname \"$0\"; exec sh -c \"$*\"' \"$host\" \"$@\"\n");
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(Agent, UnixFileMode.UserRead | UnixFileMode.UserExecute);
    }

    /// <summary>Why there are none: rights or the program ip are missing; null if they are there.</summary>
    public string? Missing { get; }

    private string Agent => Path.Combine(_folder, "agent");

    public static string Address(int machine) => $"10.77.0.{machine + 1}";

    /// <summary>What runs a command on a machine, in front of it.</summary>
    public string[] On(int machine) => ["ip", "netns", "exec", _names[machine]];

    /// <summary>mpirun on the first machine, for a rank on each.</summary>
    public string[] Mpirun() =>
    [
        .. On(0), "unshare", "--uts", "sh", "-c", $"hostname {_names[0]}; exec mpirun \"$@\"", "mpirun", "--allow-run-as-root", "-np", "2", "-H", $"{_names[0]}:1,{_names[1]}:1",
        "--bind-to", "none", "--mca", "plm_rsh_agent", Agent, "--mca", "pml", "ob1", "--mca", "btl", "tcp,self",
        "--mca", "btl_tcp_if_include", "10.77.0.0/24", "--mca", "oob_tcp_if_include", "10.77.0.0/24",
    ];

    /// <summary>Pulls the cable.</summary>
    public void Cut() => Ip($"-n {_names[0]} link set cable0 down");

    /// <summary>Plugs it in again.</summary>
    public void Mend() => Ip($"-n {_names[0]} link set cable0 up");

    public void Dispose()
    {
        foreach (string name in _names) Ip($"netns del {name}");
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>Runs ip; null if it worked, otherwise what it said.</summary>
    private static string? Ip(string arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo("ip", arguments) { RedirectStandardError = true })!;
            string error = process.StandardError.ReadToEnd();
            process.WaitForExit();
            return process.ExitCode == 0 ? null : $"ip {arguments}: {error.Trim()}";
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return "the program ip is missing (apt-get install iproute2)";
        }
    }
}
