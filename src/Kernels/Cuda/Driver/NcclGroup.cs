using System.Runtime.InteropServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>
/// GPUs of several processes, one each, that NCCL connects. Operations run in a stream of their own beside what the GPU computes; every
/// process calls the same in the same order, from one thread.
/// </summary>
public sealed unsafe class NcclGroup : IDisposable
{
    private readonly CudaStream _stream;
    private nint _group;

    /// <summary>Joins a group and waits until all others have.</summary>
    /// <param name="device">The GPU of this process, which no other process uses.</param>
    /// <param name="rank">The number of this process.</param>
    /// <param name="size">The number of processes.</param>
    /// <param name="id">What <see cref="NewId"/> gave to one process.</param>
    /// <exception cref="DllNotFoundException">NCCL is not installed.</exception>
    /// <exception cref="NcclException">The processes cannot reach each other.</exception>
    public NcclGroup(CudaDevice device, int rank, int size, ReadOnlySpan<byte> id)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentOutOfRangeException.ThrowIfNotEqual(id.Length, NcclApi.IdBytes);
        _stream = new CudaStream(device);
        var unique = MemoryMarshal.Read<NcclApi.UniqueId>(id);
        NcclException.Check(NcclApi.CommInitRank(out _group, size, unique, rank), $"ncclCommInitRank of rank {rank} of {size} on {device}");
    }

    /// <summary>A name for a group, which one process makes and the others must be told.</summary>
    /// <exception cref="DllNotFoundException">NCCL is not installed.</exception>
    /// <exception cref="NcclException">There is no network that NCCL can use.</exception>
    public static byte[] NewId()
    {
        NcclApi.UniqueId id;
        NcclException.Check(NcclApi.GetUniqueId(&id), "ncclGetUniqueId");
        return new Span<byte>(id.Bytes, NcclApi.IdBytes).ToArray();
    }

    /// <summary>Replaces numbers in the GPU's memory by their sums over all processes.</summary>
    /// <param name="values">The address of the first.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="type">F32 or F64.</param>
    /// <param name="ready">A mark behind which they are complete.</param>
    /// <returns>A mark behind which the sums are there.</returns>
    /// <exception cref="NcclException">Another process is gone, or the call is refused.</exception>
    public CudaEvent Sum(nint values, long count, DType type, CudaEvent ready)
    {
        int number = type switch
        {
            DType.F32 => NcclApi.Float32,
            DType.F64 => NcclApi.Float64,
            _ => throw new ArgumentException($"GPUs add F32 or F64, got {type}", nameof(type)),
        };
        return Enqueue(ready, $"ncclAllReduce of {count} {type}",
            stream => NcclApi.AllReduce(values, values, (nuint)count, number, NcclApi.Sum, _group, stream));
    }

    /// <summary>Replaces bytes in the GPU's memory by those of one process.</summary>
    /// <param name="bytes">The address of the first.</param>
    /// <param name="count">How many there are.</param>
    /// <param name="root">The process whose bytes all get.</param>
    /// <param name="ready">As in <see cref="Sum"/>.</param>
    /// <returns>As in <see cref="Sum"/>.</returns>
    /// <exception cref="NcclException">Another process is gone, or the call is refused.</exception>
    public CudaEvent Broadcast(nint bytes, long count, int root, CudaEvent ready) => Enqueue(ready, $"ncclBroadcast of {count} bytes from rank {root}",
        stream => NcclApi.Broadcast(bytes, bytes, (nuint)count, NcclApi.Uint8, root, _group, stream));

    /// <summary>Ends what is under way and leaves the group.</summary>
    public void Dispose()
    {
        nint group = Interlocked.Exchange(ref _group, 0);
        if (group == 0) return;
        _stream.Synchronize();
        NcclException.Check(NcclApi.CommDestroy(group), "ncclCommDestroy");
        _stream.Dispose();
    }

    private CudaEvent Enqueue(CudaEvent ready, string call, Func<nint, int> work)
    {
        ObjectDisposedException.ThrowIf(_group == 0, this);
        _stream.Wait(ready);
        NcclException.Check(work(_stream.Handle), call, _group);
        // What went wrong in the background, such as a connection that broke during an operation before.
        NcclException.Check(NcclApi.CommGetAsyncError(_group, out int earlier), "ncclCommGetAsyncError", _group);
        NcclException.Check(earlier, "an operation before " + call, _group);
        var done = new CudaEvent(_stream.Device);
        done.Record(_stream);
        return done;
    }
}
