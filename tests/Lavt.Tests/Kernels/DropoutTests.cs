using Lavt.Kernels.Cpu;
using Lavt.Tensors;
using Xunit;
using static Lavt.Tests.Kernels.KernelTesting;

namespace Lavt.Tests.Kernels;

public unsafe class DropoutTests
{
    [Theory]
    [InlineData(0, 0.1f)]
    [InlineData(1, 0.5f)]
    [InlineData(31, 0.1f)]
    [InlineData(33, 0.9f)]
    [InlineData(16384 * 2 + 7, 0.3f)]
    [InlineData(100, 0f)]
    public void Keeps_what_the_definition_keeps(int count, float probability)
    {
        const ulong Seed = 0x123456789ABCDEF0, Stream = 0xFEDCBA9876543210;
        float[] values = Uniform(count, 1);
        using GuardedArray<float> x = new(values), y = new(count);
        Dropout.Run(x, y, count, probability, Seed, Stream);
        float[] expected = new float[count];
        for (int i = 0; i < count; i++)
            expected[i] = Philox.Uniform(Seed, Stream, (ulong)i) >= probability ? values[i] * (1f / (1f - probability)) : 0f;
        Assert.Equal(expected, y.ToArray());
        Dropout.Run(x, x, count, probability, Seed, Stream);
        Assert.Equal(expected, x.ToArray());
    }

    [Fact]
    public void Blocks_beyond_32_bits_are_those_of_the_definition()
    {
        float* numbers = stackalloc float[32];
        ulong block = (1UL << 32) - 3;
        (int count, Action<ulong> draw) = CpuInfo.VectorBits switch
        {
            512 => (Philox512.Numbers, (Action<ulong>)(b => Philox512.Draw(5, 6, b, numbers))),
            256 => (Philox256.Numbers, b => Philox256.Draw(5, 6, b, numbers)),
            _ => (PhiloxScalar.Numbers, b => PhiloxScalar.Draw(5, 6, b, numbers)),
        };
        draw(block);
        for (int i = 0; i < count; i++) Assert.Equal(Philox.Uniform(5, 6, block * 4 + (ulong)i), numbers[i]);
    }

    [Fact]
    public void Does_not_depend_on_workers() => AssertIndependentOfWorkers(() =>
    {
        using GuardedArray<float> x = new(Uniform(50001, 2));
        Dropout.Run(x, x, 50001, 0.2f, 3, 4);
        return x.ToArray();
    });
}
