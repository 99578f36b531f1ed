using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Nn.Parallel;

/// <summary>The GPUs of several processes, one each, connected by NCCL. The processes themselves met over MPI or TCP before.</summary>
public sealed unsafe class NcclCommunicator : IGpuCommunicator
{
    private readonly NcclGroup _group;

    /// <summary>Connects the GPUs.</summary>
    /// <param name="processes">The processes, over which NCCL's id goes round.</param>
    /// <param name="device">The GPU of this process.</param>
    /// <exception cref="DllNotFoundException">NCCL is not installed.</exception>
    /// <exception cref="NcclException">The GPUs cannot reach each other.</exception>
    /// <exception cref="CommunicationException">Another process failed.</exception>
    public NcclCommunicator(ICommunicator processes, CudaDevice device)
    {
        ArgumentNullException.ThrowIfNull(processes);
        // Every process makes an id, so that all say so where the library is missing, before one waits for another.
        byte[] id = NcclGroup.NewId();
        fixed (byte* bytes = id) processes.Broadcast(bytes, id.Length, 0);
        _group = new NcclGroup(device, processes.Rank, processes.Size, id);
    }

    /// <inheritdoc/>
    public CudaEvent Sum(nint values, long count, DType type, CudaEvent ready) => _group.Sum(values, count, type, ready);

    /// <inheritdoc/>
    public CudaEvent Broadcast(nint bytes, long count, int root, CudaEvent ready) => _group.Broadcast(bytes, count, root, ready);

    /// <inheritdoc/>
    public void Dispose() => _group.Dispose();
}
