namespace Lavt.Nn.Parallel;

/// <summary>The processes that <c>mpirun</c> or <c>srun</c> started, with Open MPI. One per process; all calls come from one thread.</summary>
public sealed unsafe class MpiCommunicator : ICommunicator
{
    private const int Funneled = 1;

    /// <summary>Counts of MPI are ints.</summary>
    private const long LargestCount = 1 << 28;

    private readonly MpiLibrary _mpi;
    private volatile bool _aborted;

    /// <summary>Joins the processes.</summary>
    /// <exception cref="DllNotFoundException">Open MPI is not installed.</exception>
    /// <exception cref="CommunicationException">The processes cannot reach each other.</exception>
    public MpiCommunicator()
    {
        _mpi = MpiLibrary.Open();
        int provided = 0, rank = 0, size = 0;
        Check(_mpi.InitThread(null, null, Funneled, &provided), "MPI_Init_thread");
        Check(_mpi.SetErrorHandler(_mpi.World, _mpi.ErrorsReturn), "MPI_Comm_set_errhandler");
        Check(_mpi.CommRank(_mpi.World, &rank), "MPI_Comm_rank");
        Check(_mpi.CommSize(_mpi.World, &size), "MPI_Comm_size");
        (Rank, Size) = (rank, size);
    }

    /// <inheritdoc/>
    public int Rank { get; }

    /// <inheritdoc/>
    public int Size { get; }

    /// <inheritdoc/>
    public void Sum(float* values, long count)
    {
        for (long first = 0; first < count; first += LargestCount)
            Sum(values + first, (int)Math.Min(LargestCount, count - first), _mpi.Float);
    }

    /// <inheritdoc/>
    public void Sum(double* values, long count)
    {
        for (long first = 0; first < count; first += LargestCount)
            Sum(values + first, (int)Math.Min(LargestCount, count - first), _mpi.Double);
    }

    /// <inheritdoc/>
    public void Broadcast(void* bytes, long count, int root)
    {
        for (long first = 0; first < count; first += LargestCount)
            Check(_mpi.Broadcast((byte*)bytes + first, (int)Math.Min(LargestCount, count - first), _mpi.Byte, root, _mpi.World), "MPI_Bcast");
    }

    /// <inheritdoc/>
    public byte[][] Gather(ReadOnlySpan<byte> bytes)
    {
        int[] lengths = new int[Size], starts = new int[Size];
        int length = bytes.Length;
        fixed (int* all = lengths)
            Check(_mpi.AllGather(&length, 1, _mpi.Int, all, 1, _mpi.Int, _mpi.World), "MPI_Allgather");
        for (int i = 1; i < Size; i++) starts[i] = checked(starts[i - 1] + lengths[i - 1]);
        byte[] joined = new byte[checked(starts[^1] + lengths[^1])];
        // Empty spans have no address; MPI wants none then.
        fixed (byte* own = bytes, to = joined)
        fixed (int* counts = lengths, offsets = starts)
            Check(_mpi.AllGatherV(own, length, _mpi.Byte, to, counts, offsets, _mpi.Byte, _mpi.World), "MPI_Allgatherv");
        return [.. lengths.Zip(starts, (count, start) => joined.AsSpan(start, count).ToArray())];
    }

    /// <inheritdoc/>
    public void Barrier() => Check(_mpi.Barrier(_mpi.World), "MPI_Barrier");

    /// <summary>Leaves it to <c>mpirun</c> or <c>srun</c> to end the others, which they do when this process ends without taking leave.</summary>
    public void Abort(string why) => _aborted = true;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_aborted) _mpi.Finish();
    }

    private void Sum(void* values, int count, nint type) =>
        Check(_mpi.AllReduce(MpiLibrary.InPlace, values, count, type, _mpi.Add, _mpi.World), "MPI_Allreduce");

    private void Check(int code, string function) => _mpi.Check(code, function);
}
