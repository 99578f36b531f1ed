using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Matrix products on the GPU against loops in double, with operands that the precision holds exactly.</summary>
public unsafe class GemmOnGpuTests
{
    public static TheoryData<int, int, int, ProductPrecision> Sizes()
    {
        TheoryData<int, int, int, ProductPrecision> data = [];
        foreach (ProductPrecision precision in Enum.GetValues<ProductPrecision>())
            foreach ((int m, int n, int k) in ((int, int, int)[])[(1, 1, 1), (3, 5, 0), (5, 7, 3), (64, 64, 32), (65, 33, 40), (70, 130, 100)])
                data.Add(m, n, k, precision);
        return data;
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Product_equals_loops_in_double(int m, int n, int k, ProductPrecision precision)
    {
        foreach (int order in Gpu.Orders)
        {
            Gpu.SetOrder(order);
            foreach ((bool aTransposed, bool bTransposed) in ((bool, bool)[])[(false, true), (false, false), (true, false)])
                Check(m, n, k, precision, aTransposed, bTransposed, withEpilogue: order == 0);
        }
        Gpu.SetOrder(0);
    }

    /// <summary>What float16 alone does: ties to even, subnormals, and infinity beyond 65504.</summary>
    [Theory]
    [InlineData(1 + 1f / 2048, 1)]
    [InlineData(1 + 3f / 2048, 1 + 2f / 1024)]
    [InlineData(6e-8f, 1f / (1 << 24))]
    [InlineData(3 * 5.9604645e-8f, 3f / (1 << 24))]
    [InlineData(1e-8f, 0)]
    [InlineData(65519, 65504)]
    [InlineData(65520, float.PositiveInfinity)]
    [InlineData(-1e9f, float.NegativeInfinity)]
    public void Operands_are_rounded_to_float16_as_IEEE_754_says(float value, float rounded)
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor a = Gpu.From([value], [1]), b = Gpu.From([1f], [1]), c = a.EmptyLike([1]);
        Lavt.Kernels.Cuda.Gemm.Run(Gpu.Device.Stream, 1, 1, 1, new(a.DevicePointer<float>(), 1, 1), new(b.DevicePointer<float>(), 1, 1), c.DevicePointer<float>(), 1, default, ProductPrecision.Float16);
        Assert.Equal(rounded, c.Item<float>());
        Assert.Equal((float)(Half)value, c.Item<float>());
    }

    private static void Check(int m, int n, int k, ProductPrecision precision, bool aTransposed, bool bTransposed, bool withEpilogue)
    {
        using MemoryScope scope = MemoryScope.Begin();
        float[] a = Values(m * k, 1), b = Values(k * n, 2), bias = Values(n, 3), residual = Values(m * n, 4), old = Values(m * n, 5);
        Tensor onA = Gpu.From(a, [m * k]), onB = Gpu.From(b, [k * n]), onC = Gpu.From(old, [m * n]), sums = onC.EmptyLike([m * n]);
        Tensor onBias = Gpu.From(bias, [n]), onResidual = Gpu.From(residual, [m * n]);
        Epilogue epilogue = withEpilogue
            ? new() { Bias = onBias.DevicePointer<float>(), Activation = Activation.Relu, Residual = onResidual.DevicePointer<float>(), ResidualStride = n, Accumulate = true, PreActivation = sums.DevicePointer<float>() }
            : default;
        Matrix left = aTransposed ? new(onA.DevicePointer<float>(), 1, m) : new(onA.DevicePointer<float>(), k, 1);
        Matrix right = bTransposed ? new(onB.DevicePointer<float>(), 1, k) : new(onB.DevicePointer<float>(), n, 1);
        Lavt.Kernels.Cuda.Gemm.Run(Gpu.Device.Stream, m, n, k, left, right, onC.DevicePointer<float>(), n, epilogue, precision);
        float[] c = onC.ToArray<float>();
        for (int i = 0; i < m; i++)
        {
            for (int j = 0; j < n; j++)
            {
                double sum = 0;
                for (int p = 0; p < k; p++) sum += (double)(aTransposed ? a[p * m + i] : a[i * k + p]) * (bTransposed ? b[j * k + p] : b[p * n + j]);
                if (withEpilogue) sum = Math.Max(0, sum + bias[j]) + residual[i * n + j] + old[i * n + j];
                Assert.True(Math.Abs(sum - c[i * n + j]) <= 2e-5, $"{precision} {m}x{n}x{k}, element ({i}, {j}): {c[i * n + j]}, expected {sum}");
            }
        }
    }

    /// <summary>Multiples of 1/64 below 1: exact in bfloat16, float16 and TF32, and so are their products' sums nearly.</summary>
    private static float[] Values(int count, ulong seed)
    {
        float[] values = new float[count];
        new RandomSource(seed, 3).FillUniform(values, -1, 1);
        return Array.ConvertAll(values, value => MathF.Round(value * 64) / 64);
    }
}
