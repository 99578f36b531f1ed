using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Kernels.Cuda;

/// <summary>
/// Sums over the GPUs of this process, in streams of their own beside what the GPUs compute. The GPUs stand in a ring, and each
/// array is cut into as many parts: every part goes once around and is added up, then once around and is handed on, so that each GPU sends
/// and receives 2·(N − 1)/N of the array whatever N is (Patarasuk and Yuan, "Bandwidth optimal all-reduce algorithms for clusters of
/// workstations", 2009). The order of each sum is that of the ring, so that all GPUs have the same bits, in every run.
/// </summary>
/// <remarks>
/// One thread at a time puts the work of all GPUs into their streams, so that what a GPU waits for was always put there before. The
/// host waits for nothing.
/// </remarks>
public sealed unsafe class PeerRing : IDisposable
{
    private const int Threads = 256, MostBlocks = 1024;

    /// <summary>What is copied and then added at a time.</summary>
    private const long PieceBytes = 4 << 20;

    /// <summary>Parts begin at multiples of so many numbers.</summary>
    private const long PartAlignment = 64;

    private static readonly CudaKernel s_addFloats = new("PeerSum.cu", "peer_sum_float");
    private static readonly CudaKernel s_addDoubles = new("PeerSum.cu", "peer_sum_double");

    private readonly Member[] _members;

    /// <summary>A ring in the order of <paramref name="devices"/>; one may occur twice.</summary>
    /// <exception cref="CudaException">Memory for it is missing.</exception>
    public PeerRing(IReadOnlyList<CudaDevice> devices)
    {
        ArgumentNullException.ThrowIfNull(devices);
        _members = [.. devices.Select((device, rank) => new Member(device, devices[(rank + devices.Count - 1) % devices.Count]))];
    }

    /// <summary>How many pairs of neighbours have no connection but through the host.</summary>
    public int StagedLinks => _members.Count(member => member.FromLeft.IsStaged);

    /// <summary>Replaces the numbers of every array by the sums over all GPUs.</summary>
    /// <param name="arrays">An array of each GPU, in its memory, 16-byte aligned.</param>
    /// <param name="count">The numbers of each.</param>
    /// <param name="type">F32 or F64.</param>
    /// <param name="ready">Marks in streams of the GPUs behind which their arrays are complete.</param>
    /// <returns>Marks behind which the sums are there and the arrays may be changed.</returns>
    public CudaEvent[] Sum(ReadOnlySpan<nint> arrays, long count, DType type, ReadOnlySpan<CudaEvent> ready)
    {
        int n = _members.Length;
        Begin(ready);
        long part = ((count + n - 1) / n + PartAlignment - 1) / PartAlignment * PartAlignment;
        for (int step = 0; step < 2 * (n - 1); step++)
        {
            // First a GPU adds to what it has of a part, n − 1 times; then it gets what the others have completed.
            bool adds = step < n - 1;
            for (int rank = 0; rank < n; rank++)
            {
                int left = (rank + n - 1) % n, index = (left - step + 2 * n) % n;
                long first = Math.Min(count, index * part), last = Math.Min(count, first + part);
                _members[rank].Receive(arrays[rank], arrays[left], first, last, type, adds, _members[left].Mark);
            }
            foreach (Member member in _members) member.Mark.Record(member.Stream);
        }
        return End();
    }

    /// <summary>Replaces the bytes of every array by those of one GPU.</summary>
    /// <param name="arrays">An array of each GPU, in its memory.</param>
    /// <param name="bytes">The bytes of each.</param>
    /// <param name="root">The GPU whose bytes all get.</param>
    /// <param name="ready">As in <see cref="Sum"/>.</param>
    /// <returns>As in <see cref="Sum"/>.</returns>
    public CudaEvent[] Broadcast(ReadOnlySpan<nint> arrays, long bytes, int root, ReadOnlySpan<CudaEvent> ready)
    {
        int n = _members.Length;
        Begin(ready);
        // From neighbour to neighbour: these are the connections that there are.
        for (int step = 1; step < n; step++)
        {
            int rank = (root + step) % n, left = (rank + n - 1) % n;
            _members[rank].Receive(arrays[rank], arrays[left], 0, bytes, DType.U8, adds: false, _members[left].Mark);
            _members[rank].Mark.Record(_members[rank].Stream);
        }
        return End();
    }

    /// <summary>Waits for what is under way, and gives streams and memory back.</summary>
    public void Dispose()
    {
        foreach (Member member in _members) member.Stream.Synchronize();
        foreach (Member member in _members) member.Dispose();
    }

    private void Begin(ReadOnlySpan<CudaEvent> ready)
    {
        for (int rank = 0; rank < _members.Length; rank++)
        {
            _members[rank].Stream.Wait(ready[rank]);
            _members[rank].Mark.Record(_members[rank].Stream);
        }
    }

    private CudaEvent[] End()
    {
        int n = _members.Length;
        // A GPU's array is free when the neighbour has read the last of it.
        for (int rank = 0; rank < n; rank++) _members[rank].Stream.Wait(_members[(rank + 1) % n].Mark);
        CudaEvent[] done = [.. _members.Select(member => new CudaEvent(member.Stream.Device))];
        for (int rank = 0; rank < n; rank++) done[rank].Record(_members[rank].Stream);
        return done;
    }

    /// <summary>A GPU in the ring.</summary>
    private sealed class Member : IDisposable
    {
        private readonly nint _piece;

        public Member(CudaDevice device, CudaDevice left)
        {
            Stream = new CudaStream(device);
            Mark = new CudaEvent(device);
            FromLeft = new PeerLink(left, Stream, PieceBytes);
            _piece = device.Memory.Allocate(PieceBytes);
            // The block is there when the computing stream has come to it.
            device.Stream.Synchronize();
        }

        public CudaStream Stream { get; }

        /// <summary>Behind the last step of this GPU.</summary>
        public CudaEvent Mark { get; }

        public PeerLink FromLeft { get; }

        /// <summary>Gets the numbers from <paramref name="first"/> to <paramref name="last"/> of the neighbour's array, once that has come to its mark.</summary>
        public void Receive(nint own, nint theirs, long first, long last, DType type, bool adds, CudaEvent written)
        {
            FromLeft.WaitFor(written);
            long size = type.Size(), most = PieceBytes / size;
            for (long i = first; i < last; i += most)
            {
                long count = Math.Min(most, last - i);
                nint to = own + (nint)(i * size), from = theirs + (nint)(i * size);
                FromLeft.Copy(adds ? _piece : to, from, count * size);
                if (adds) Add(to, count, type);
            }
        }

        public void Dispose()
        {
            FromLeft.Dispose();
            Mark.Dispose();
            Stream.Device.Memory.Release(_piece, PieceBytes);
            Stream.Dispose();
        }

        private void Add(nint own, long count, DType type)
        {
            CudaKernel kernel = type switch
            {
                DType.F32 => s_addFloats,
                DType.F64 => s_addDoubles,
                _ => throw new ArgumentException($"GPUs add F32 or F64, got {type}", nameof(type)),
            };
            kernel.Launch(Stream, Math.Min(MostBlocks, (count + Threads - 1) / Threads), Threads, 0, (void*)own, (void*)_piece, count);
        }
    }
}
