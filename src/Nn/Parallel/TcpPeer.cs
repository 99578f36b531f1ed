using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Lavt.Nn.Parallel;

/// <summary>
/// The connection with another process. What is sent comes in frames of a length and bytes; a negative length announces that the
/// other one leaves, and why.
/// </summary>
internal sealed class TcpPeer : IDisposable
{
    private const int KeepAliveAfter = 4;
    private const int KeepAliveEvery = 2;
    private const int KeepAliveTries = 3;
    private const int UserTimeout = 18;
    private const int UserTimeoutMilliseconds = 10_000;
    private const int LongestReason = 4096;

    private static readonly TimeSpan s_farewell = TimeSpan.FromSeconds(1);

    private readonly Socket _socket;
    private readonly byte[] _header = new byte[sizeof(int)];
    private readonly object _receiving = new();

    /// <summary>Takes over a connection. A host that cannot be reached any more is noticed within about ten seconds.</summary>
    /// <param name="socket">The connection.</param>
    /// <param name="rank">The number of the process at the other end.</param>
    public TcpPeer(Socket socket, int rank)
    {
        (_socket, Rank) = (socket, rank);
        socket.NoDelay = true;
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, KeepAliveAfter);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, KeepAliveEvery);
        socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveRetryCount, KeepAliveTries);
        if (OperatingSystem.IsLinux())
            socket.SetRawSocketOption((int)SocketOptionLevel.Tcp, UserTimeout, BitConverter.GetBytes(UserTimeoutMilliseconds));
    }

    /// <summary>The number of the process at the other end.</summary>
    public int Rank { get; }

    private string Gone => $"rank {Rank} is gone: it was killed, or its host cannot be reached; start again with --resume auto";

    /// <summary>
    /// Why the other process will send nothing more: it is gone, or it said that it failed. Null if neither is known, also while
    /// something is being received.
    /// </summary>
    public string? FindEnd()
    {
        if (!Monitor.TryEnter(_receiving)) return null;
        try
        {
            if (!_socket.Poll(0, SelectMode.SelectRead)) return null;
            // No message is half received now, so that a length comes first.
            int seen = _socket.Receive(_header, SocketFlags.Peek);
            if (seen == 0) return Gone;
            if (seen < _header.Length || Length >= -1) return null;
            ReceiveAll(_header);
            return ReadReason();
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException or CommunicationException)
        {
            return Gone;
        }
        finally
        {
            Monitor.Exit(_receiving);
        }
    }

    /// <summary>Sends bytes.</summary>
    /// <exception cref="CommunicationException">The connection has ended.</exception>
    public void Send(ReadOnlySpan<byte> bytes)
    {
        Span<byte> header = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(header, bytes.Length);
        SendAll(header);
        SendAll(bytes);
    }

    /// <summary>Receives as many bytes as there is room for.</summary>
    /// <exception cref="CommunicationException">The connection has ended, or the other process left or sent something else.</exception>
    public void Receive(Span<byte> bytes)
    {
        lock (_receiving)
        {
            ReceiveAll(_header);
            if (Length < 0)
            {
                string why = ReadReason();
                throw new CommunicationException(why.Length > 0 ? why : $"rank {Rank} ended before this one; all ranks must have the same command line");
            }
            if (Length != bytes.Length)
                throw new CommunicationException($"rank {Rank} sent {Length} bytes where this one expected {bytes.Length}; all ranks must have the same command line, data and version");
            ReceiveAll(bytes);
        }
    }

    /// <summary>Says that this process leaves; an error makes no difference any more.</summary>
    public void Leave(string why)
    {
        byte[] reason = Encoding.UTF8.GetBytes(why);
        if (reason.Length > LongestReason) reason = reason[..LongestReason];
        byte[] frame = new byte[sizeof(int) + reason.Length];
        BinaryPrimitives.WriteInt32LittleEndian(frame, -1 - reason.Length);
        reason.CopyTo(frame, sizeof(int));
        try
        {
            _socket.Send(frame);
            _socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
        }
    }

    /// <summary>
    /// Closes the connection when the other process has left too, or after a second. Closed earlier, with bytes that nobody has read, it
    /// would take back what was sent last: why this process leaves.
    /// </summary>
    public void Dispose()
    {
        long start = Stopwatch.GetTimestamp();
        byte[] unread = new byte[LongestReason];
        try
        {
            _socket.ReceiveTimeout = (int)s_farewell.TotalMilliseconds;
            while (Stopwatch.GetElapsedTime(start) < s_farewell && _socket.Receive(unread) > 0)
            {
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
        }
        _socket.Dispose();
    }

    /// <summary>The length in the header that was read last.</summary>
    private int Length => BinaryPrimitives.ReadInt32LittleEndian(_header);

    private string ReadReason()
    {
        byte[] reason = new byte[Math.Min(-(Length + 1), LongestReason)];
        ReceiveAll(reason);
        return Encoding.UTF8.GetString(reason);
    }

    private void SendAll(ReadOnlySpan<byte> bytes)
    {
        try
        {
            while (bytes.Length > 0) bytes = bytes[_socket.Send(bytes)..];
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            throw new CommunicationException(Gone, error);
        }
    }

    private void ReceiveAll(Span<byte> bytes)
    {
        try
        {
            while (bytes.Length > 0)
            {
                int received = _socket.Receive(bytes);
                if (received == 0) throw new CommunicationException(Gone);
                bytes = bytes[received..];
            }
        }
        catch (Exception error) when (error is SocketException or ObjectDisposedException)
        {
            throw new CommunicationException(Gone, error);
        }
    }
}
