using System.Runtime.InteropServices;

namespace Lavt.Bench;

/// <summary>Native memory of random floats in [−1, 1), as kernels take it.</summary>
internal sealed unsafe class FloatArray : IDisposable
{
    private readonly float* _values;

    public FloatArray(long count)
    {
        _values = (float*)NativeMemory.AlignedAlloc((nuint)count * sizeof(float), 64);
        Random random = new(1);
        for (long i = 0; i < count; i++) _values[i] = 2 * random.NextSingle() - 1;
    }

    public static implicit operator float*(FloatArray array) => array._values;

    public void Dispose() => NativeMemory.AlignedFree(_values);
}
