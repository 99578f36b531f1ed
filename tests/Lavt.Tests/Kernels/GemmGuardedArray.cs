using System.Runtime.InteropServices;
using Xunit;

namespace Lavt.Tests.Kernels;

/// <summary>
/// Native memory between two fences of NaN: a kernel that reads past an end shows in its result, one that writes there
/// fails when the array is disposed of.
/// </summary>
internal sealed unsafe class GemmGuardedArray : IDisposable
{
    private const int Fence = 64;

    private readonly float* _block;
    private readonly int _length;

    /// <summary>Numbers evenly spread over [−1, 1).</summary>
    public GemmGuardedArray(Random random, int length)
    {
        _length = length;
        _block = (float*)NativeMemory.AlignedAlloc((nuint)(length + (2 * Fence)) * sizeof(float), 64);
        new Span<float>(_block, length + (2 * Fence)).Fill(float.NaN);
        Data = _block + Fence;
        for (int i = 0; i < length; i++) Data[i] = (2 * random.NextSingle()) - 1;
    }

    public float* Data { get; }

    public Span<float> Span => new(Data, _length);

    public void Dispose()
    {
        for (int i = 0; i < Fence; i++)
        {
            Assert.True(float.IsNaN(_block[i]), "written before the first element");
            Assert.True(float.IsNaN(Data[_length + i]), "written behind the last element");
        }
        NativeMemory.AlignedFree(_block);
    }
}
