namespace Lavt.Tensors;

/// <summary>
/// A block of memory shared by a tensor and its views. Counted: each <see cref="MemoryScope"/> and each tape entry that
/// needs the numbers holds one reference, and the memory is free for reuse when the last of them lets go. A block that
/// no scope ever owned lives until the garbage collector finds it unreachable.
/// </summary>
/// <remarks>
/// Memory may be taken when it is first needed: a model whose weights come from a file never touches those that it was
/// built with, and a weight that is packed at once is read, packed and given back before the next one.
/// </remarks>
public sealed class Storage
{
    private readonly long _bytes;
    private readonly Lock? _filling;
    private readonly IDeviceMemory? _memory;
    private Action<nint>? _fill;
    private nint _data;
    private int _references;
    private bool _isTold;

    internal Storage(long bytes, Device device)
    {
        _bytes = bytes;
        _memory = device.Kind == DeviceKind.Cpu ? null : DeviceMemory.Of(device);
        _data = Allocate();
        Device = device;
    }

    /// <summary>Host memory that is taken when it is first needed.</summary>
    /// <param name="bytes">The size.</param>
    /// <param name="fill">Sets all numbers, given the address of the first byte; what it throws reaches who needed them.</param>
    internal Storage(long bytes, Action<nint> fill)
    {
        _bytes = bytes;
        _fill = fill;
        _filling = new Lock();
    }

    /// <summary>Frees what no scope owned.</summary>
    ~Storage() => Free();

    /// <summary>The size in bytes.</summary>
    public long Bytes => _bytes;

    /// <summary>Where the memory is.</summary>
    public Device Device { get; }

    /// <summary>The address of the first byte.</summary>
    /// <exception cref="ObjectDisposedException">The memory was already given back.</exception>
    public nint Data => _data != 0 ? _data : Load() ? _data : throw new ObjectDisposedException(nameof(Tensor),
        "the tensor's memory was given back at the end of the MemoryScope that it was made in; return it through MemoryScope.Return or call Tensor.Persist() inside the scope");

    /// <summary>How many scopes and tape entries hold this block.</summary>
    internal int References => _references;

    /// <summary>Whether there is memory behind this block; not after the last reference was let go of.</summary>
    internal bool IsAllocated => _data != 0;

    /// <summary>How the numbers can be computed once more; owned by Lavt.Autograd.</summary>
    internal object? Recipe { get; set; }

    /// <summary>
    /// Lets the garbage collector know how much hangs on a small object, so that models nobody uses any more go soon. For
    /// what lives long; scopes free the rest without it.
    /// </summary>
    internal void TellCollector()
    {
        if (_isTold || _bytes == 0) return;
        _isTold = true;
        GC.AddMemoryPressure(_bytes);
    }

    /// <summary>Takes and fills memory that was not needed so far.</summary>
    /// <returns>False if the memory was given back.</returns>
    internal bool Load()
    {
        if (_filling is null || _data != 0) return _data != 0;
        lock (_filling)
        {
            if (_data != 0 || _fill is null) return _data != 0;
            nint data = HostAllocator.Allocate(_bytes);
            try
            {
                _fill(data);
            }
            catch
            {
                HostAllocator.Release(data, _bytes);
                throw;
            }
            _fill = null;
            Volatile.Write(ref _data, data);
            return true;
        }
    }

    internal void Retain() => Interlocked.Increment(ref _references);

    internal void ReleaseReference()
    {
        if (Interlocked.Decrement(ref _references) == 0)
        {
            Free();
            GC.SuppressFinalize(this);
        }
    }

    /// <summary>Gets memory again for a block whose memory was given back; the numbers are not set, and the caller holds a reference.</summary>
    internal void Reallocate()
    {
        _data = Allocate();
        GC.ReRegisterForFinalize(this);
    }

    /// <summary>Gives the memory back whoever holds it.</summary>
    internal void Discard()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        _fill = null;
        nint data = Interlocked.Exchange(ref _data, 0);
        if (data == 0) return;
        if (_memory is null) HostAllocator.Release(data, _bytes);
        else _memory.Release(data, _bytes);
        if (_isTold) GC.RemoveMemoryPressure(_bytes);
    }

    private nint Allocate() => _memory is null ? HostAllocator.Allocate(_bytes) : _memory.Allocate(_bytes);
}
