using System.Buffers.Binary;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Lavt.Nn.Parallel;

/// <summary>How processes find process 0 over TCP. Each says who it is before anything else.</summary>
internal static class TcpMeeting
{
    private const int Greeting = 0x4C41_5654;
    private const int GreetingBytes = 3 * sizeof(int);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_greetingTime = TimeSpan.FromSeconds(5);

    /// <summary>Waits for all other processes; their connections by rank, none for 0.</summary>
    /// <param name="port">Where to listen.</param>
    /// <param name="size">The number of processes.</param>
    /// <param name="deadline">Until when, a time stamp of <see cref="Stopwatch"/>.</param>
    /// <exception cref="CommunicationException">Not all came in time, or two have the same rank.</exception>
    public static TcpPeer?[] Accept(int port, int size, long deadline)
    {
        var peers = new TcpPeer?[size];
        using var listener = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp) { DualMode = true };
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        try
        {
            listener.Bind(new IPEndPoint(IPAddress.IPv6Any, port));
            listener.Listen(size);
        }
        catch (SocketException error)
        {
            throw new CommunicationException($"rank 0 cannot listen on port {port} ({error.Message}); set MASTER_PORT to a free one on all hosts", error);
        }
        while (peers.Skip(1).Any(peer => peer is null))
        {
            if (!listener.Poll(Remaining(deadline), SelectMode.SelectRead))
            {
                string missing = string.Join(", ", Enumerable.Range(1, size - 1).Where(rank => peers[rank] is null));
                throw new CommunicationException($"rank 0 waited on port {port} for ranks {missing} in vain; start them, and let MASTER_ADDR name this host there");
            }
            Socket socket = listener.Accept();
            if (Greet(socket, size) is not { } rank)
            {
                socket.Dispose();
                continue;
            }
            if (peers[rank] is not null)
                throw new CommunicationException($"two processes say that they are rank {rank}; each needs a RANK of its own");
            peers[rank] = new TcpPeer(socket, rank);
        }
        return peers;
    }

    /// <summary>Connects with process 0, which may still have to start.</summary>
    /// <param name="address">Its host.</param>
    /// <param name="port">Its port.</param>
    /// <param name="rank">The number of this process.</param>
    /// <param name="size">The number of processes.</param>
    /// <param name="deadline">Until when, a time stamp of <see cref="Stopwatch"/>.</param>
    /// <exception cref="CommunicationException">It cannot be reached.</exception>
    public static TcpPeer Connect(string address, int port, int rank, int size, long deadline)
    {
        while (true)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Connect(address, port);
                byte[] greeting = new byte[GreetingBytes];
                BinaryPrimitives.WriteInt32LittleEndian(greeting, Greeting);
                BinaryPrimitives.WriteInt32LittleEndian(greeting.AsSpan(sizeof(int)), rank);
                BinaryPrimitives.WriteInt32LittleEndian(greeting.AsSpan(2 * sizeof(int)), size);
                socket.Send(greeting);
                return new TcpPeer(socket, 0);
            }
            catch (SocketException error)
            {
                socket.Dispose();
                if (Stopwatch.GetTimestamp() >= deadline)
                    throw new CommunicationException($"rank {rank} cannot reach rank 0 at {address}:{port} ({error.Message}); check MASTER_ADDR, MASTER_PORT and firewalls", error);
                Thread.Sleep(s_pause);
            }
        }
    }

    private static TimeSpan Remaining(long deadline) =>
        TimeSpan.FromSeconds(Math.Max(0, (deadline - Stopwatch.GetTimestamp()) / (double)Stopwatch.Frequency));

    /// <summary>The rank that the other end says it has; null for somebody who is no process of the job.</summary>
    private static int? Greet(Socket socket, int size)
    {
        byte[] greeting = new byte[GreetingBytes];
        int received = 0;
        try
        {
            while (received < GreetingBytes && socket.Poll(s_greetingTime, SelectMode.SelectRead))
            {
                int count = socket.Receive(greeting.AsSpan(received));
                if (count == 0) return null;
                received += count;
            }
        }
        catch (SocketException)
        {
            return null;
        }
        int rank = BinaryPrimitives.ReadInt32LittleEndian(greeting.AsSpan(sizeof(int)));
        bool known = received == GreetingBytes && BinaryPrimitives.ReadInt32LittleEndian(greeting) == Greeting && rank > 0 && rank < size;
        if (known && BinaryPrimitives.ReadInt32LittleEndian(greeting.AsSpan(2 * sizeof(int))) != size)
            throw new CommunicationException($"rank {rank} was started with another WORLD_SIZE than the {size} of rank 0");
        return known ? rank : null;
    }
}
