using Lavt.Tensors;

namespace Lavt.Bench;

/// <summary>Native memory of random floats in [−1, 1), as kernels take it; freed memory serves the next one.</summary>
internal sealed unsafe class FloatArray : IDisposable
{
    private const int Different = 1 << 16;
    private readonly float* _values;
    private readonly long _bytes;

    public FloatArray(long count)
    {
        _bytes = count * sizeof(float);
        _values = (float*)HostAllocator.Allocate(_bytes);
        Random random = new(1);
        long first = Math.Min(count, Different);
        for (long i = 0; i < first; i++) _values[i] = 2 * random.NextSingle() - 1;
        for (long i = first; i < count; i += Different)
            Buffer.MemoryCopy(_values, _values + i, (count - i) * sizeof(float), Math.Min(Different, count - i) * sizeof(float));
    }

    public static implicit operator float*(FloatArray array) => array._values;

    public void Dispose() => HostAllocator.Release((nint)_values, _bytes);
}
