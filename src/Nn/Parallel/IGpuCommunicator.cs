using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Nn.Parallel;

/// <summary>
/// What GPUs do together with numbers in their memory: the part of a group that <see cref="ICommunicator"/>, which knows host memory only,
/// leaves out. Every member calls the same operations in the same order, from one thread. An operation returns when it is in a stream of
/// the GPU; the host waits for no number. All members get the same bits, in every run.
/// </summary>
public interface IGpuCommunicator : IDisposable
{
    /// <summary>Replaces each number by the sum over all members.</summary>
    /// <param name="values">The address of the first number in the GPU's memory.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="type">F32 or F64.</param>
    /// <param name="ready">A mark of this member's GPU behind which its numbers are complete.</param>
    /// <returns>A mark behind which the sums are there.</returns>
    /// <exception cref="CommunicationException">Another member failed or cannot be reached.</exception>
    /// <exception cref="NcclException">NCCL says that another member failed or cannot be reached.</exception>
    CudaEvent Sum(nint values, long count, DType type, CudaEvent ready);

    /// <summary>Replaces bytes by those of member <paramref name="root"/>.</summary>
    /// <param name="bytes">The address of the first byte in the GPU's memory.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="root">Whose bytes all get.</param>
    /// <param name="ready">As in <see cref="Sum"/>.</param>
    /// <returns>A mark behind which the bytes are there.</returns>
    /// <exception cref="CommunicationException">Another member failed or cannot be reached.</exception>
    /// <exception cref="NcclException">NCCL says that another member failed or cannot be reached.</exception>
    CudaEvent Broadcast(nint bytes, long count, int root, CudaEvent ready);
}
