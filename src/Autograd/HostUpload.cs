using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>
/// Brings batches to a GPU beside its computing: each is written into pinned memory and copied by a stream of its own, while what
/// was launched before still runs. Neither the host nor the computing stream waits for more than the batch itself. Two places
/// take turns, and their memory is kept.
/// </summary>
/// <example>
/// <code>
/// using HostUpload upload = new(device);
/// foreach (Batch batch in batches)
/// {
///     Tensor[] there = upload.Copy(pictures, masks);
///     … // launches what reads them; the next turn's copies begin before it is done
/// }
/// </code>
/// </example>
public sealed unsafe class HostUpload : IDisposable
{
    private readonly CudaDevice _device;
    private readonly CudaStream _stream;
    private readonly Place[] _places;
    private Place _current;

    /// <summary>An upload to a GPU; memory is taken when tensors come.</summary>
    public HostUpload(Device device)
    {
        _device = CudaDevice.Of(device);
        _stream = new CudaStream(_device);
        _places = [new Place(_device), new Place(_device)];
        _current = _places[1];
    }

    /// <summary>
    /// Copies of tensors on the GPU; those that lie there already are handed back. The host's may be changed as soon as this
    /// returns. The copies are for work that is launched on the computing stream before the next call, which fills others.
    /// </summary>
    public Tensor[] Copy(params ReadOnlySpan<Tensor> tensors)
    {
        _device.Memory.RequireNotCapturing("values of the host are copied to the device");
        // All that reads the copies of the last turn has been launched.
        _current.Used.Record(_device.Stream);
        _current = _current == _places[0] ? _places[1] : _places[0];
        Tensor[] copies = _current.Take(tensors, _device.Stream);
        _stream.Wait(_current.Used);
        for (int i = 0; i < copies.Length; i++)
            if (copies[i] != tensors[i]) _current.Pinned[i]!.CopyTo(copies[i].Address, tensors[i].Count * tensors[i].DType.Size(), _stream);
        _current.Copied.Record(_stream);
        _device.Stream.Wait(_current.Copied);
        return copies;
    }

    /// <summary>Waits for the copies and gives the memory back.</summary>
    public void Dispose()
    {
        foreach (Place place in _places) place.Dispose();
        _stream.Dispose();
    }

    /// <summary>Pinned memory and memory of the GPU for the tensors of one call.</summary>
    private sealed class Place(CudaDevice device) : IDisposable
    {
        private readonly List<Storage?> _onDevice = [];

        /// <summary>The host's side of each copy.</summary>
        public List<PinnedMemory?> Pinned { get; } = [];

        /// <summary>Behind everything that reads the copies.</summary>
        public CudaEvent Used { get; } = new(device);

        /// <summary>Behind the copying.</summary>
        public CudaEvent Copied { get; } = new(device);

        /// <summary>Writes tensors to pinned memory, which grows where it must, and says where their copies will be.</summary>
        public Tensor[] Take(ReadOnlySpan<Tensor> tensors, CudaStream computing)
        {
            // The pinned memory may still be read by this place's last copies.
            Copied.Synchronize();
            bool hasGrown = false;
            Tensor[] copies = new Tensor[tensors.Length];
            for (int i = 0; i < tensors.Length; i++)
            {
                if (tensors[i].Device == device.Device)
                {
                    copies[i] = tensors[i];
                    continue;
                }
                long bytes = tensors[i].Count * tensors[i].DType.Size();
                hasGrown |= Reserve(i, bytes);
                Buffer.MemoryCopy((void*)Ops.Contiguous(tensors[i]).Address, (void*)Pinned[i]!.Address, bytes, bytes);
                copies[i] = new Tensor(_onDevice[i]!, tensors[i].Shape, tensors[i].DType, Strides.Contiguous(tensors[i].Shape), 0);
            }
            // Memory is there when the computing stream has come to its allocation.
            if (hasGrown) Used.Record(computing);
            return copies;
        }

        public void Dispose()
        {
            Copied.Synchronize();
            foreach (Storage? storage in _onDevice) storage?.ReleaseReference();
            foreach (PinnedMemory? pinned in Pinned) pinned?.Dispose();
            Used.Dispose();
            Copied.Dispose();
        }

        /// <summary>Whether more memory was needed.</summary>
        private bool Reserve(int index, long bytes)
        {
            while (Pinned.Count <= index)
            {
                Pinned.Add(null);
                _onDevice.Add(null);
            }
            if (Pinned[index] is { } enough && enough.Bytes >= bytes) return false;
            Pinned[index]?.Dispose();
            _onDevice[index]?.ReleaseReference();
            Pinned[index] = new PinnedMemory(device, bytes);
            _onDevice[index] = new Storage(Math.Max(1, bytes), device.Device);
            _onDevice[index]!.Retain();
            return true;
        }
    }
}
