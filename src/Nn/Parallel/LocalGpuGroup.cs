using Lavt.Kernels.Cuda;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Nn.Parallel;

/// <summary>
/// GPUs of one process, each with a member of a <see cref="LocalGroup"/>. Members meet and say where their numbers are; the first one
/// then puts the work of all into the streams of a <see cref="PeerRing"/>.
/// </summary>
public sealed class LocalGpuGroup : IDisposable
{
    private readonly LocalGroup _group;
    private readonly PeerRing _ring;
    private readonly nint[] _addresses;
    private readonly CudaEvent[] _ready;
    private CudaEvent[] _done = [];

    /// <summary>Connects the GPUs.</summary>
    /// <param name="group">The members; not closed by this.</param>
    /// <param name="devices">The GPU of each member.</param>
    /// <exception cref="CudaException">A GPU does not work or has too little memory.</exception>
    public LocalGpuGroup(LocalGroup group, IReadOnlyList<CudaDevice> devices)
    {
        ArgumentNullException.ThrowIfNull(group);
        ArgumentNullException.ThrowIfNull(devices);
        ArgumentOutOfRangeException.ThrowIfNotEqual(devices.Count, group.Size);
        _group = group;
        _ring = new PeerRing(devices);
        (_addresses, _ready) = (new nint[group.Size], new CudaEvent[group.Size]);
    }

    /// <summary>The communicator of a member.</summary>
    public IGpuCommunicator Member(int rank) => new GpuCommunicator(this, rank);

    /// <summary>Ends what is under way and gives streams and memory back.</summary>
    public void Dispose() => _ring.Dispose();

    private CudaEvent Together(int rank, nint address, CudaEvent ready, Func<CudaEvent[]> work)
    {
        (_addresses[rank], _ready[rank]) = (address, ready);
        _group.Meet();
        if (rank == 0) _done = work();
        _group.Meet();
        return _done[rank];
    }

    private sealed class GpuCommunicator(LocalGpuGroup gpus, int rank) : IGpuCommunicator
    {
        public CudaEvent Sum(nint values, long count, DType type, CudaEvent ready) =>
            gpus.Together(rank, values, ready, () => gpus._ring.Sum(gpus._addresses, count, type, gpus._ready));

        public CudaEvent Broadcast(nint bytes, long count, int root, CudaEvent ready) =>
            gpus.Together(rank, bytes, ready, () => gpus._ring.Broadcast(gpus._addresses, count, root, gpus._ready));

        public void Dispose()
        {
        }
    }
}
