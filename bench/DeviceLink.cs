using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Lavt.Nn.Parallel;

namespace Lavt.Bench;

/// <summary>How devices are connected in a measurement.</summary>
internal enum Connection
{
    /// <summary>Threads that read each other's memory.</summary>
    Memory,

    /// <summary>TCP over the loopback device: its copies need the processor.</summary>
    Tcp,

    /// <summary>Memory, and then waiting until a network of 10 Gbit/s would have carried the numbers: needs next to no processor.</summary>
    Network,
}

/// <summary>What all links of a measurement do at the moment.</summary>
internal sealed class LinkMode
{
    public Connection Connection { get; set; }

    /// <summary>Whether gradients are summed; statistics and losses always are.</summary>
    public bool SumsGradients { get; set; } = true;
}

/// <summary>A device's place in a group whose connection can be changed between steps.</summary>
internal sealed unsafe class DeviceLink(LinkMode mode, ICommunicator memory, ICommunicator tcp) : ICommunicator
{
    private const double BytesPerSecond = 10e9 / 8;

    public int Rank => memory.Rank;

    public int Size => memory.Size;

    /// <summary>How many numbers the sums of gradients had, in their order.</summary>
    public List<long> Sums { get; } = [];

    private ICommunicator Inner => mode.Connection == Connection.Tcp ? tcp : memory;

    /// <summary>Gives each device of a crew a link; <paramref name="made"/> hears of them.</summary>
    public static CollectiveQueue[] Connect(DeviceCrew crew, LocalGroup group, LinkMode mode, Action<DeviceLink>? made = null)
    {
        int port = FreePort();
        var queues = new CollectiveQueue[group.Size];
        crew.Run(queue => queues[queue.Rank] = new CollectiveQueue(() =>
        {
            var link = new DeviceLink(mode, group.Member(queue.Rank), new TcpCommunicator("127.0.0.1", port, queue.Rank, group.Size));
            made?.Invoke(link);
            return link;
        }));
        return queues;
    }

    public void Sum(float* values, long count)
    {
        Sums.Add(count);
        if (!mode.SumsGradients) return;
        long start = Stopwatch.GetTimestamp();
        Inner.Sum(values, count);
        if (mode.Connection != Connection.Network) return;
        // In a ring every member sends 2·(N − 1)/N of its numbers.
        double bytes = 2.0 * (Size - 1) / Size * count * sizeof(float);
        TimeSpan left = TimeSpan.FromSeconds(bytes / BytesPerSecond) - Stopwatch.GetElapsedTime(start);
        if (left > TimeSpan.Zero) Thread.Sleep(left);
    }

    public void Sum(double* values, long count) => Inner.Sum(values, count);

    public void Broadcast(void* bytes, long count, int root) => Inner.Broadcast(bytes, count, root);

    public byte[][] Gather(ReadOnlySpan<byte> bytes) => Inner.Gather(bytes);

    public void Barrier() => Inner.Barrier();

    public void Abort(string why)
    {
        memory.Abort(why);
        tcp.Abort(why);
    }

    public void Dispose()
    {
        memory.Dispose();
        tcp.Dispose();
    }

    private static int FreePort()
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
