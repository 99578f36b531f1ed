using Lavt.Kernels.Cpu;
using Xunit;
using static Lavt.Tests.Kernels.KernelTesting;

namespace Lavt.Tests.Kernels;

public unsafe class EmbeddingTests
{
    [Theory]
    [InlineData(0, 8, 4)]
    [InlineData(1, 1, 1)]
    [InlineData(33, 17, 7)]
    [InlineData(100, 131, 5)]
    [InlineData(64, 768, 40)]
    public void Looks_up_rows_and_adds_up_their_gradients(int count, int channels, int rows)
    {
        float[] tableValues = Uniform(rows * channels, 1), gradient = Uniform(count * channels, 2);
        long[] ids = Ids(count, rows);
        using GuardedArray<float> table = new(tableValues), y = new(count * channels), dy = new(gradient), dTable = new(new float[rows * channels]);
        fixed (long* id = ids)
        {
            Embedding.Forward(table, id, y, count, channels);
            Embedding.Backward(dy, id, dTable, count, channels, rows);
        }
        double[] expectedGradient = new double[rows * channels];
        for (int i = 0; i < count; i++)
            for (int c = 0; c < channels; c++)
            {
                Assert.Equal(tableValues[ids[i] * channels + c], y.Span[i * channels + c]);
                expectedGradient[ids[i] * channels + c] += gradient[i * channels + c];
            }
        for (int i = 0; i < expectedGradient.Length; i++) Assert.Equal(expectedGradient[i], dTable.Span[i], 1e-5);
    }

    [Fact]
    public void Gradient_does_not_depend_on_workers() => AssertIndependentOfWorkers(() =>
    {
        const int Count = 200, Channels = 300, Rows = 3;
        using GuardedArray<float> dy = new(Uniform(Count * Channels, 3)), dTable = new(new float[Rows * Channels]);
        fixed (long* id = Ids(Count, Rows)) Embedding.Backward(dy, id, dTable, Count, Channels, Rows);
        return dTable.ToArray();
    });

    private static long[] Ids(int count, int rows)
    {
        Random random = new(7);
        long[] ids = new long[count];
        for (int i = 0; i < count; i++) ids[i] = random.Next(rows);
        return ids;
    }
}
