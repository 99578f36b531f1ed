using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Matrix products with wgmma and TMA against loops in double, with operands that the precision holds exactly.</summary>
public unsafe class GemmHopperTests
{
    /// <summary>Of sizes with which all widths of tiles occur, and blocks go round their ring of stages more than once; the depth a multiple of 4.</summary>
    public static TheoryData<int, int, int> Sizes => new() { { 1, 2, 4 }, { 100, 64, 64 }, { 130, 70, 100 }, { 260, 250, 200 }, { 300, 500, 132 } };

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Float32_times_packed_equals_loops(int m, int n, int k)
    {
        Operands x = new(m, n, k);
        InAllOrders(x, x.Sums, () => x.Run(ProductPrecision.BFloat16, isTransposed: true, isPacked: true));
        Gpu.SetOrder(0);
        if (m >= 256) x.Check(x.Run(ProductPrecision.BFloat16, isTransposed: false, isPacked: false), x.Sums);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Tf32_equals_loops(int m, int n, int k)
    {
        Operands x = new(m, n, k);
        InAllOrders(x, x.Sums, () => x.Run(ProductPrecision.Tf32, isTransposed: true, isPacked: false));
    }

    [Theory]
    [InlineData(130, 70, 104)]
    [InlineData(300, 500, 136)]
    public void Bfloat16_equals_loops(int m, int n, int k)
    {
        Operands x = new(m, n, k);
        InAllOrders(x, x.Sums, x.RunBf16);
    }

    [Fact]
    public void The_epilogue_is_that_of_other_products()
    {
        Operands x = new(140, 130, 36);
        double[] expected = [.. x.Sums.Select((sum, i) => Math.Max(0, sum + x.Bias[i % x.N]) + x.Residual[i] + x.Old[i])];
        InAllOrders(x, expected, () => x.Run(ProductPrecision.BFloat16, isTransposed: true, isPacked: true, withEpilogue: true));
    }

    [Fact]
    public void Rows_may_lie_apart()
    {
        if (!GemmHopper.IsAvailable(Gpu.Device)) Assert.Skip("needs compute capability 9.0");
        using MemoryScope scope = MemoryScope.Begin();
        Operands x = new(130, 66, 40);
        const int Apart = 48;
        float[] a = new float[x.M * Apart];
        Array.Fill(a, float.NaN);
        for (int i = 0; i < x.M; i++) Array.Copy(x.A, i * x.K, a, i * Apart, x.K);
        Tensor onA = Gpu.From(a, [a.Length]), onB = Gpu.From(x.B, [x.B.Length]), c = onA.EmptyLike([x.M * x.N]);
        Lavt.Kernels.Cuda.Gemm.Run(Gpu.Device.Stream, x.M, x.N, x.K, new Matrix(onA.DevicePointer<float>(), Apart, 1), new Matrix(onB.DevicePointer<float>(), 1, x.K), c.DevicePointer<float>(), x.N, default, ProductPrecision.Tf32);
        x.Check(c.ToArray<float>(), x.Sums);
    }

    private static void InAllOrders(Operands x, double[] expected, Func<float[]> run)
    {
        if (!GemmHopper.IsAvailable(Gpu.Device)) Assert.Skip("needs compute capability 9.0");
        foreach (int order in Gpu.Orders)
        {
            Gpu.SetOrder(order);
            x.Check(run(), expected);
        }
        Gpu.SetOrder(0);
    }

    /// <summary>Operands of a product with its sums; multiples of 1/64 below 1, which bfloat16 and TF32 hold exactly.</summary>
    private sealed class Operands
    {
        public Operands(int m, int n, int k)
        {
            (M, N, K) = (m, n, k);
            (A, B, Bias, Residual, Old) = (Values(m * k, 1), Values(n * k, 2), Values(n, 3), Values(m * n, 4), Values(m * n, 5));
            Sums = new double[m * n];
            for (int i = 0; i < m; i++)
                for (int j = 0; j < n; j++)
                    for (int p = 0; p < k; p++) Sums[i * n + j] += (double)A[i * k + p] * B[j * k + p];
        }

        public int M { get; }

        public int N { get; }

        public int K { get; }

        /// <summary>[m, k].</summary>
        public float[] A { get; }

        /// <summary>[n, k].</summary>
        public float[] B { get; }

        public float[] Bias { get; }

        public float[] Residual { get; }

        public float[] Old { get; }

        public double[] Sums { get; }

        /// <param name="precision">Of the products.</param>
        /// <param name="isTransposed">Whether B lies in memory as a weight does, [n, k].</param>
        /// <param name="isPacked">Whether it is packed before.</param>
        /// <param name="withEpilogue">With all that can be done to a sum.</param>
        public float[] Run(ProductPrecision precision, bool isTransposed, bool isPacked, bool withEpilogue = false)
        {
            using MemoryScope scope = MemoryScope.Begin();
            Tensor a = Gpu.From(A, [A.Length]), b = Gpu.From(isTransposed ? B : Turned(), [B.Length]), c = Gpu.From(Old, [Old.Length]), sums = c.EmptyLike([M * N]);
            Tensor bias = Gpu.From(Bias, [N]), residual = Gpu.From(Residual, [M * N]), packed = Tensor.Empty([(int)GemmHopper.PackedBytes(K, N)], DType.U8, Gpu.Device.Device);
            Matrix right = isTransposed ? new(b.DevicePointer<float>(), 1, K) : new(b.DevicePointer<float>(), N, 1);
            if (isPacked) GemmHopper.Pack(Gpu.Device.Stream, right, K, N, packed.DevicePointer<byte>());
            Epilogue epilogue = withEpilogue
                ? new() { Bias = bias.DevicePointer<float>(), Activation = Activation.Relu, Residual = residual.DevicePointer<float>(), ResidualStride = N, Accumulate = true, PreActivation = sums.DevicePointer<float>() }
                : default;
            Lavt.Kernels.Cuda.Gemm.Run(Gpu.Device.Stream, M, N, K, new Matrix(a.DevicePointer<float>(), K, 1), right, c.DevicePointer<float>(), N, epilogue, precision, isPacked ? packed.DevicePointer<byte>() : null);
            if (withEpilogue) Check(sums.ToArray<float>(), [.. Sums.Select((sum, i) => sum + Bias[i % N])]);
            return c.ToArray<float>();
        }

        public float[] RunBf16()
        {
            using MemoryScope scope = MemoryScope.Begin();
            Tensor a = Gpu.From(Array.ConvertAll(A, Rounded), [A.Length]), b = Gpu.From(Array.ConvertAll(B, Rounded), [B.Length]), c = Tensor.Empty([M * N], DType.F32, Gpu.Device.Device);
            GemmHopper.RunBf16(Gpu.Device.Stream, M, N, K, a.DevicePointer<short>(), b.DevicePointer<short>(), c.DevicePointer<float>());
            return c.ToArray<float>();
        }

        public void Check(float[] c, double[] expected)
        {
            for (int i = 0; i < c.Length; i++)
                if (!(Math.Abs(expected[i] - c[i]) <= 4e-5)) Assert.Fail($"{M}x{N}x{K}, element ({i / N}, {i % N}): {c[i]}, expected {expected[i]}");
        }

        private float[] Turned()
        {
            float[] turned = new float[B.Length];
            for (int j = 0; j < N; j++)
                for (int p = 0; p < K; p++) turned[p * N + j] = B[j * K + p];
            return turned;
        }

        /// <summary>The bits in bfloat16, which holds these values.</summary>
        private static short Rounded(float value) => (short)(BitConverter.SingleToInt32Bits(value) >> 16);

        private static float[] Values(int count, ulong seed)
        {
            float[] values = new float[count];
            new RandomSource(seed, 3).FillUniform(values, -1, 1);
            return Array.ConvertAll(values, value => MathF.Round(value * 64) / 64);
        }
    }
}
