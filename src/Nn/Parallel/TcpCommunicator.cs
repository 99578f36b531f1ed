using System.Diagnostics;
using System.Numerics;

namespace Lavt.Nn.Parallel;

/// <summary>
/// Processes that are connected with process 0 over TCP, for hosts without MPI and to hand round what other libraries need to
/// meet. Process 0 adds up what it gets in the order of the ranks. Its line carries everything, so use MPI for more than a few.
/// </summary>
public sealed unsafe class TcpCommunicator : ICommunicator
{
    /// <summary>Both sides send and receive pieces of this size in turn, so that neither waits for the other with full buffers.</summary>
    private const int Piece = 1 << 20;

    private readonly TcpPeer?[] _peers;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(Piece);
    private readonly Timer _watch;
    private volatile bool _closed;

    /// <summary>Connects, and waits until all others have.</summary>
    /// <param name="address">The host of process 0.</param>
    /// <param name="port">The port on which process 0 listens.</param>
    /// <param name="rank">The number of this process.</param>
    /// <param name="size">The number of processes.</param>
    /// <param name="lost">Called once, on another thread, when another process is gone while this one computes.</param>
    /// <param name="patience">How long to wait for the others; two minutes if not given.</param>
    /// <exception cref="CommunicationException">Not all came in time.</exception>
    public TcpCommunicator(string address, int port, int rank, int size, Action<string>? lost = null, TimeSpan? patience = null)
    {
        (Rank, Size) = (rank, size);
        long deadline = Stopwatch.GetTimestamp() + (long)((patience ?? TimeSpan.FromMinutes(2)).TotalSeconds * Stopwatch.Frequency);
        _peers = rank == 0 ? TcpMeeting.Accept(port, size, deadline) : [TcpMeeting.Connect(address, port, rank, size, deadline)];
        _watch = new Timer(_ => Watch(lost), null, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
    }

    /// <inheritdoc/>
    public int Rank { get; }

    /// <inheritdoc/>
    public int Size { get; }

    private IEnumerable<TcpPeer> Peers => _peers.OfType<TcpPeer>();

    /// <inheritdoc/>
    public void Sum(float* values, long count) => Sum<float>(new nint(values), count);

    /// <inheritdoc/>
    public void Sum(double* values, long count) => Sum<double>(new nint(values), count);

    /// <inheritdoc/>
    public void Broadcast(void* bytes, long count, int root) => Exchange(() =>
    {
        for (long done = 0; done < count; done += Piece)
        {
            Span<byte> piece = new((byte*)bytes + done, (int)Math.Min(Piece, count - done));
            if (Rank == root && Rank != 0) _peers[0]!.Send(piece);
            if (Rank == 0 && root != 0) _peers[root]!.Receive(piece);
            foreach (TcpPeer peer in Rank == 0 ? Peers.Where(peer => peer.Rank != root) : []) peer.Send(piece);
            if (Rank != 0 && Rank != root) _peers[0]!.Receive(piece);
        }
    });

    /// <inheritdoc/>
    public byte[][] Gather(ReadOnlySpan<byte> bytes)
    {
        byte[][] all = new byte[Size][];
        all[Rank] = bytes.ToArray();
        for (int root = 0; root < Size; root++)
        {
            long length = all[root]?.Length ?? 0;
            Broadcast(&length, sizeof(long), root);
            all[root] ??= new byte[length];
            fixed (byte* pointer = all[root]) Broadcast(pointer, length, root);
        }
        return all;
    }

    /// <inheritdoc/>
    public void Barrier()
    {
        double nothing = 0;
        Sum(&nothing, 1);
    }

    /// <inheritdoc/>
    public void Abort(string why)
    {
        if (_closed) return;
        _closed = true;
        foreach (TcpPeer peer in Peers) peer.Leave(why);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        bool wasClosed = _closed;
        _closed = true;
        _watch.Dispose();
        foreach (TcpPeer peer in Peers)
        {
            if (!wasClosed) peer.Leave("");
            peer.Dispose();
        }
    }

    private void Sum<T>(nint values, long count)
        where T : unmanaged, INumber<T> => Exchange(() =>
        {
            int most = Piece / sizeof(T);
            for (long done = 0; done < count; done += most)
            {
                Span<T> own = new((T*)values + done, (int)Math.Min(most, count - done));
                Span<byte> bytes = new((T*)values + done, own.Length * sizeof(T));
                if (Rank == 0) AddUp(own, bytes);
                else
                {
                    _peers[0]!.Send(bytes);
                    _peers[0]!.Receive(bytes);
                }
            }
        });

    private void AddUp<T>(Span<T> own, Span<byte> bytes)
        where T : unmanaged, INumber<T>
    {
        fixed (byte* buffer = _buffer)
        {
            foreach (TcpPeer peer in Peers)
            {
                peer.Receive(_buffer.AsSpan(0, bytes.Length));
                Span<T> theirs = new(buffer, own.Length);
                for (int i = 0; i < own.Length; i++) own[i] += theirs[i];
            }
        }
        foreach (TcpPeer peer in Peers) peer.Send(bytes);
    }

    /// <summary>Runs an operation; if a process is gone, tells the others why before it fails.</summary>
    private void Exchange(Action work)
    {
        try
        {
            work();
        }
        catch (CommunicationException error)
        {
            Abort(error.Message);
            throw;
        }
    }

    /// <summary>Finds processes that are gone while nobody listens to them.</summary>
    private void Watch(Action<string>? lost)
    {
        if (_closed || Peers.Select(peer => peer.FindEnd()).FirstOrDefault(end => end is not null) is not { } why) return;
        Abort(why);
        lost?.Invoke(why);
    }
}
