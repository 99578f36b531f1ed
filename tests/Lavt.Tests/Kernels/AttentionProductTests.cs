using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Kernels;

public unsafe class AttentionProductTests
{
    public static TheoryData<int, int, int> Shapes => new()
    {
        { 1, 1, 1 },
        { 5, 3, 2 },
        { 6, 20, 3 },
        { 7, 128, 1 },
        { 13, 129, 2 },
        { 12, 300, 4 },
    };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void Products_equal_double_precision_at_every_vector_width(int rows, int depth, int vectors)
    {
        Check<F512>(rows, depth, vectors);
        Check<F256>(rows, depth, vectors);
        Check<F128>(rows, depth, vectors);
    }

    private static void Check<V>(int rows, int depth, int vectors)
        where V : struct, ISimd<V>
    {
        int columns = vectors * V.Width, aStride = depth + 3, transposedStride = rows + 2, stride = columns + V.Width;
        Random random = new(rows * depth + vectors);
        float[] Values(int count) => [.. Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() * 2 - 1))];
        float[] a = Values(rows * aStride), b = Values((depth + 1) * stride), transposed = Values((depth + 1) * transposedStride);
        float[] c = Values(rows * stride), sum = [.. c], product = [.. c];
        fixed (float* pa = a, pb = b, pt = transposed, ps = sum, pp = product)
        {
            AttentionProduct.Multiply<V>(pa, aStride, pb, stride, pp, stride, rows, depth, columns);
            AttentionProduct.AddTransposed<V>(pt, transposedStride, pb, stride, ps, stride, rows, depth, columns);
        }
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < stride; j++)
            {
                double expected = 0, expectedSum = c[i * stride + j];
                for (int k = 0; k < depth && j < columns; k++)
                {
                    expected += (double)a[i * aStride + k] * b[k * stride + j];
                    expectedSum += (double)transposed[k * transposedStride + i] * b[k * stride + j];
                }
                // Columns past the last vector must stay as they were.
                Assert.Equal(j < columns ? expected : c[i * stride + j], product[i * stride + j], 1e-5);
                Assert.Equal(expectedSum, sum[i * stride + j], 1e-5);
            }
        }
    }
}
