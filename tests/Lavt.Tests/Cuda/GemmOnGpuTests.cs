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

    /// <summary>Multiples of 1/64 below 1: exact in bfloat16 and TF32, and so are their products' sums nearly.</summary>
    private static float[] Values(int count, ulong seed)
    {
        float[] values = new float[count];
        new RandomSource(seed, 3).FillUniform(values, -1, 1);
        return Array.ConvertAll(values, value => MathF.Round(value * 64) / 64);
    }
}
