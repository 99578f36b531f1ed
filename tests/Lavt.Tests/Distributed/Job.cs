using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Lavt.Tests.Distributed;

/// <summary>A training run in processes of its own, which tests kill.</summary>
internal sealed class Job : IDisposable
{
    private readonly Process _process;
    private readonly StringBuilder _errors = new();

    private Job(ProcessStartInfo start)
    {
        (start.RedirectStandardError, start.RedirectStandardOutput) = (true, true);
        start.Environment.Remove("LAVT_DEBUG");
        _process = new Process { StartInfo = start };
        _process.ErrorDataReceived += (_, line) => Append(line.Data);
        _process.OutputDataReceived += (_, line) => Append(line.Data);
        _process.Start();
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
    }

    /// <summary>The program.</summary>
    public static string Program => Path.Combine(AppContext.BaseDirectory, "Lavt.Program");

    /// <summary>What it has printed.</summary>
    public string Printed
    {
        get
        {
            lock (_errors) return _errors.ToString();
        }
    }

    /// <summary>A port of this machine that nobody listens on.</summary>
    public static int FreePort()
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    /// <summary>Starts processes with mpirun.</summary>
    public static Job Mpi(int processes, string folder, string flags) =>
        Start(["mpirun", .. MpiTests.Options, "-np", processes.ToString(CultureInfo.InvariantCulture), Program, "train"], folder, flags);

    /// <summary>Starts one process of several that meet over TCP.</summary>
    /// <param name="rank">Its number.</param>
    /// <param name="processes">How many there are.</param>
    /// <param name="address">The host of the first.</param>
    /// <param name="port">Its port.</param>
    /// <param name="folder">Where it runs.</param>
    /// <param name="flags">The flags of the training.</param>
    /// <param name="before">What starts the program, in front of it.</param>
    public static Job Tcp(int rank, int processes, string address, int port, string folder, string flags, params string[] before) => Start(
        [.. before, Program, "train"], folder, flags,
        ("RANK", $"{rank}"), ("WORLD_SIZE", $"{processes}"), ("LOCAL_RANK", $"{rank}"), ("LOCAL_WORLD_SIZE", $"{processes}"), ("MASTER_ADDR", address), ("MASTER_PORT", $"{port}"));

    /// <summary>Starts a command.</summary>
    public static Job Start(string[] command, string folder, string flags, params (string Name, string Value)[] variables)
    {
        var start = new ProcessStartInfo(command[0], [.. command[1..], .. Words(flags)]) { WorkingDirectory = folder };
        foreach ((string name, string value) in variables) start.Environment[name] = value;
        return new Job(start);
    }

    /// <summary>Waits until a line was printed, or the job has ended.</summary>
    public void WaitFor(string text, int occurrences = 1)
    {
        while (!_process.HasExited && Printed.Split(text).Length - 1 < occurrences) Thread.Sleep(5);
    }

    /// <summary>The ranks' processes: mpirun's children.</summary>
    public int[] Children() =>
        [.. Directory.EnumerateDirectories($"/proc/{_process.Id}/task").SelectMany(task => Words(File.ReadAllText(Path.Combine(task, "children")))).Select(id => int.Parse(id, CultureInfo.InvariantCulture))];

    /// <summary>Ends the process as the kernel does when memory is short.</summary>
    public void Kill() => _process.Kill();

    /// <summary>Waits for the end.</summary>
    /// <returns>The exit code; null if the time was over first.</returns>
    public int? End(TimeSpan time)
    {
        if (!_process.WaitForExit(time)) return null;
        _process.WaitForExit();
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }

    private static string[] Words(string text) => text.Split((char[])[' ', '\n'], StringSplitOptions.RemoveEmptyEntries);

    private void Append(string? line)
    {
        lock (_errors) _errors.AppendLine(line);
    }
}
