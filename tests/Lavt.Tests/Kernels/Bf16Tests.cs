using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Xunit;

namespace Lavt.Tests.Kernels;

/// <summary>bfloat16: rounding bit by bit, products against double sums of rounded numbers.</summary>
public sealed unsafe class Bf16Tests
{
    [Fact]
    public void Rounding_takes_the_nearest_and_of_two_equally_near_the_even_one()
    {
        (uint Single, ushort Rounded)[] cases =
        [
            (0x00000000, 0x0000), (0x80000000, 0x8000), (0x3f800000, 0x3f80),
            (0x3f808000, 0x3f80), (0x3f818000, 0x3f82), (0x3f808001, 0x3f81), (0x3f807fff, 0x3f80),
            (0x7f7fffff, 0x7f80), (0x7f800000, 0x7f80), (0xff800000, 0xff80),
            (0x7f800001, 0x7fc0), (0xffc12345, 0xffc1), (0x00000001, 0x0000), (0x00018000, 0x0002), (0x007fffff, 0x0080),
        ];
        foreach ((uint single, ushort rounded) in cases) Assert.Equal(rounded, BFloat16.FromSingle(BitConverter.UInt32BitsToSingle(single)));

        // The vectors must do the same, at every place of a row.
        Random random = new(3);
        float[] row = [.. Enumerable.Range(0, 103).Select(i => BitConverter.UInt32BitsToSingle(i < cases.Length ? cases[i].Single : (uint)random.NextInt64(1L << 32)))];
        using GuardedArray<float> source = new(row);
        using GuardedArray<ushort> destination = new(row.Length);
        BFloat16.FromSingles(source, destination, row.Length);
        Assert.Equal(row.Select(BFloat16.FromSingle), destination.ToArray());
    }

    [Fact]
    public void Every_bfloat16_survives_the_way_to_float32_and_back()
    {
        for (uint bits = 0; bits <= ushort.MaxValue; bits++)
        {
            float value = BFloat16.ToSingle((ushort)bits);
            if (!float.IsNaN(value)) Assert.Equal((ushort)bits, BFloat16.FromSingle(value));
        }
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(2, 33, 2)]
    [InlineData(5, 31, 7)]
    [InlineData(11, 64, 65)]
    [InlineData(12, 32, 128)]
    [InlineData(13, 95, 129)]
    [InlineData(30, 130, 513)]
    [InlineData(121, 48, 300)]
    [InlineData(500, 40, 17)]
    [InlineData(0, 8, 8)]
    public void Product_equals_double_sums_of_rounded_numbers(int m, int n, int k)
    {
        Assert.SkipWhen(Bf16Gemm.Missing is not null, $"products of bfloat16 are not available: {Bf16Gemm.Missing}");
        Random random = new(m + n + k);
        using GuardedArray<float> a = GuardedArray<float>.Random(random, m * k), weight = GuardedArray<float>.Random(random, n * k);
        using GuardedArray<float> bias = GuardedArray<float>.Random(random, n), residual = GuardedArray<float>.Random(random, m * n);
        using GuardedArray<float> c = new(m * n);
        using PackedBf16Matrix packed = PackedBf16Matrix.Pack(weight, n, k);
        foreach (Activation activation in (Activation[])[Activation.None, Activation.Relu])
        {
            Epilogue epilogue = new() { Bias = bias, Activation = activation, Residual = residual, ResidualStride = n };
            Bf16Gemm.Run(m, a, k, packed, c, n, epilogue);
            double[] expected = new double[m * n];
            for (int i = 0; i < m; i++)
            {
                for (int j = 0; j < n; j++)
                {
                    double sum = bias.Span[j];
                    for (int p = 0; p < k; p++) sum += (double)Rounded(a.Span[(i * k) + p]) * Rounded(weight.Span[(j * k) + p]);
                    expected[(i * n) + j] = (activation == Activation.Relu ? Math.Max(sum, 0) : sum) + residual.Span[(i * n) + j];
                }
            }
            KernelTesting.AssertClose(expected, c.ToArray(), 2e-6, $"{m} x {k} x {n}, {activation}");
        }
    }

    [Fact]
    public void Result_is_the_same_on_any_number_of_workers()
    {
        Assert.SkipWhen(Bf16Gemm.Missing is not null, $"products of bfloat16 are not available: {Bf16Gemm.Missing}");
        const int M = 301, N = 96, K = 130;
        float[] a = KernelTesting.Uniform(M * K, 1), weight = KernelTesting.Uniform(N * K, 2);
        KernelTesting.AssertIndependentOfWorkers(() =>
        {
            float[] result = new float[M * N];
            fixed (float* left = a, right = weight, c = result)
            {
                using PackedBf16Matrix packed = PackedBf16Matrix.Pack(right, N, K);
                Bf16Gemm.Run(M, left, K, packed, c, N, default);
            }
            return result;
        });
    }

    private static float Rounded(float value) => BFloat16.ToSingle(BFloat16.FromSingle(value));
}
