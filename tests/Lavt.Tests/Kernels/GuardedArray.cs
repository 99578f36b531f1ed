using System.Runtime.InteropServices;
using Xunit;

namespace Lavt.Tests.Kernels;

/// <summary>
/// Native memory between two guard zones, of NaN where the elements are floats: a kernel that reads past an end shows in its
/// result, one that writes there fails when the array is disposed of.
/// </summary>
internal sealed unsafe class GuardedArray<T> : IDisposable
    where T : unmanaged
{
    private const int GuardBytes = 256;
    private const byte Guard = 0xFF;

    private readonly byte* _block;
    private readonly int _length;

    /// <summary>An array of <paramref name="length"/> elements whose bytes are garbage, as memory of the allocator is.</summary>
    public GuardedArray(int length)
    {
        _length = length;
        int bytes = 2 * GuardBytes + length * sizeof(T);
        _block = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 64);
        new Span<byte>(_block, bytes).Fill(Guard);
    }

    public GuardedArray(T[] values)
        : this(values.Length) => values.CopyTo(Span);

    /// <summary>Numbers evenly spread over [−1, 1).</summary>
    public static GuardedArray<float> Random(Random random, int length)
    {
        GuardedArray<float> array = new(length);
        foreach (ref float value in array.Span) value = (2 * random.NextSingle()) - 1;
        return array;
    }

    public T* Pointer => (T*)(_block + GuardBytes);

    public Span<T> Span => new(Pointer, _length);

    public static implicit operator T*(GuardedArray<T> array) => array.Pointer;

    public T[] ToArray() => Span.ToArray();

    public void Dispose()
    {
        bool intact = true;
        for (int i = 0; i < GuardBytes; i++)
            intact &= _block[i] == Guard && _block[GuardBytes + _length * sizeof(T) + i] == Guard;
        NativeMemory.AlignedFree(_block);
        Assert.True(intact, "a kernel wrote outside its array");
    }
}
