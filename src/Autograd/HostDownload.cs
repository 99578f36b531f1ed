using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>
/// Brings results of a GPU to the host while it goes on: a copy into pinned memory is put behind what was launched, and the host
/// waits for that copy alone when it wants the numbers. Two places take turns, and their memory is kept.
/// </summary>
public sealed unsafe class HostDownload : IDisposable
{
    private readonly CudaDevice _device;
    private readonly Place[] _places;
    private int _next;

    /// <summary>A download from a GPU; memory is taken when tensors come.</summary>
    public HostDownload(Device device)
    {
        _device = CudaDevice.Of(device);
        _places = [new Place(_device), new Place(_device)];
    }

    /// <summary>Begins to copy a contiguous tensor, whose memory may be given back or overwritten by what is launched afterwards.</summary>
    /// <returns>The copy to come; it must be taken before the next but one begins.</returns>
    /// <exception cref="InvalidOperationException">Two copies were begun and not taken.</exception>
    public Pending Start(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        Place place = _places[_next];
        if (place.IsTaken) throw new InvalidOperationException("two results are on their way from the GPU already; take one of them before the next is copied");
        _next = 1 - _next;
        place.Copy(tensor, _device);
        return new Pending(place, tensor.Shape, tensor.DType);
    }

    /// <summary>Waits for the copies and gives the memory back.</summary>
    public void Dispose()
    {
        foreach (Place place in _places) place.Dispose();
    }

    /// <summary>A copy on its way.</summary>
    public readonly struct Pending
    {
        private readonly Place _place;
        private readonly Shape _shape;
        private readonly DType _dtype;

        internal Pending(Place place, Shape shape, DType dtype) => (_place, _shape, _dtype) = (place, shape, dtype);

        /// <summary>The numbers on the host, when they are there.</summary>
        public Tensor Take()
        {
            Tensor result = Tensor.Empty(_shape, _dtype);
            _place.MoveTo(result);
            return result;
        }
    }

    /// <summary>Pinned memory for one copy.</summary>
    internal sealed class Place(CudaDevice device) : IDisposable
    {
        private readonly CudaEvent _copied = new(device);
        private PinnedMemory? _pinned;

        /// <summary>Whether a copy was begun and not taken.</summary>
        public bool IsTaken { get; private set; }

        public void Copy(Tensor tensor, CudaDevice from)
        {
            long bytes = tensor.Count * tensor.DType.Size();
            if (_pinned is null || _pinned.Bytes < bytes)
            {
                _pinned?.Dispose();
                _pinned = new PinnedMemory(from, bytes);
            }
            if (!tensor.IsContiguous) throw new ArgumentException($"{tensor} has gaps; make it contiguous (Ops.Contiguous) before it is copied");
            _pinned.CopyFrom(tensor.Address, bytes, from.Stream);
            _copied.Record(from.Stream);
            IsTaken = true;
        }

        public void MoveTo(Tensor result)
        {
            _copied.Synchronize();
            long bytes = result.Count * result.DType.Size();
            Buffer.MemoryCopy((void*)_pinned!.Address, (void*)result.Address, bytes, bytes);
            IsTaken = false;
        }

        public void Dispose()
        {
            _copied.Synchronize();
            _pinned?.Dispose();
            _copied.Dispose();
        }
    }
}
