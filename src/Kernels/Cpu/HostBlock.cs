using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>A block of host memory that lives until it is disposed of, or nobody refers to it any more.</summary>
internal sealed unsafe class HostBlock : IDisposable
{
    private readonly long _bytes;
    private nint _data;

    /// <summary>A block of <paramref name="bytes"/> bytes, not cleared.</summary>
    public HostBlock(long bytes)
    {
        _bytes = bytes;
        _data = HostAllocator.Allocate(bytes);
    }

    /// <summary>Frees a block that nobody disposed of.</summary>
    ~HostBlock() => Free();

    /// <summary>The first number.</summary>
    /// <exception cref="ObjectDisposedException">The block was freed.</exception>
    public float* Data
    {
        get
        {
            ObjectDisposedException.ThrowIf(_data == 0, this);
            return (float*)_data;
        }
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        nint data = Interlocked.Exchange(ref _data, 0);
        if (data != 0) HostAllocator.Release(data, _bytes);
    }
}
