using Lavt.Autograd;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Operations on the GPU that have no gradient, or whose result hides in that of others.</summary>
public class PrimitivesOnGpuTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 31)]
    [InlineData(9, 70)]
    public void Max_of_negative_numbers(int rows, int columns)
    {
        using MemoryScope scope = MemoryScope.Begin();
        float[] values = new float[rows * columns];
        new RandomSource(5, 1).FillUniform(values, -2, -1);
        foreach (int order in Gpu.Orders)
        {
            Gpu.SetOrder(order);
            Assert.Equal(values.Chunk(columns).Select(row => row.Max()), Ops.Max(Gpu.From(values, [rows, columns])).ToArray<float>());
        }
        Gpu.SetOrder(0);
    }

    [Fact]
    public void Views_of_every_element_size_are_copied()
    {
        using MemoryScope scope = MemoryScope.Begin();
        Check<byte>([1, 2, 3, 4, 5, 6]);
        Check<short>([1, 2, 3, 4, 5, 6]);
        Check<float>([1, 2, 3, 4, 5, 6]);
        Check<long>([1, 2, 3, 4, 5, 6]);

        static void Check<T>(T[] values)
            where T : unmanaged => Assert.Equal([values[0], values[3], values[1], values[4], values[2], values[5]], Ops.Contiguous(Gpu.From(values, [2, 3]).ViewPermuted(1, 0)).ToArray<T>());
    }
}
