using System.Diagnostics;
using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda;
using Lavt.Nn;
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
        x.Check(x.Run(ProductPrecision.Float16, isTransposed: true, isPacked: true), x.Sums);
        x.Check(x.Run(ProductPrecision.BFloat16, isTransposed: false, isPacked: false), x.Sums);
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

    [Theory]
    [InlineData(ProductPrecision.BFloat16, false)]
    [InlineData(ProductPrecision.BFloat16, true)]
    [InlineData(ProductPrecision.Float16, true)]
    public void Rows_and_results_may_be_stored_in_16_bits(ProductPrecision precision, bool roundsResult)
    {
        if (!GemmHopper.IsAvailable(Gpu.Device)) Assert.Skip("needs compute capability 9.0");
        Operands x = new(260, 66, 136);
        using MemoryScope scope = MemoryScope.Begin();
        bool isBf16 = precision == ProductPrecision.BFloat16;
        Tensor a = Gpu.From(Array.ConvertAll(x.A, value => isBf16 ? (short)(BitConverter.SingleToInt32Bits(value) >> 16) : BitConverter.HalfToInt16Bits((Half)value)), [x.A.Length]);
        Tensor b = Gpu.From(x.B, [x.B.Length]), bias = Gpu.From(x.Bias, [x.N]), c = Tensor.Empty([x.M * x.N], roundsResult ? DType.I16 : DType.F32, Gpu.Device.Device);
        Epilogue epilogue = new() { Bias = bias.DevicePointer<float>() };
        void* result = roundsResult ? (void*)c.DevicePointer<short>() : c.DevicePointer<float>();
        Lavt.Kernels.Cuda.Gemm.RunRounded(Gpu.Device.Stream, x.M, x.N, x.K, a.DevicePointer<short>(), new Matrix(b.DevicePointer<float>(), 1, x.K), result, epilogue, precision, roundsResult);
        float[] sums = roundsResult
            ? Array.ConvertAll(c.ToArray<short>(), bits => isBf16 ? BitConverter.Int32BitsToSingle(bits << 16) : (float)BitConverter.Int16BitsToHalf(bits))
            : c.ToArray<float>();
        double unit = !roundsResult ? 1e-6 : isBf16 ? 1 / 256.0 : 1 / 2048.0;
        for (int i = 0; i < sums.Length; i++)
        {
            double expected = x.Sums[i] + x.Bias[i % x.N];
            Assert.True(Math.Abs(sums[i] - expected) <= 4e-5 + Math.Abs(expected) * unit, $"element {i}: {sums[i]}, expected {expected}");
        }
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

    [Fact]
    public void A_layer_packs_its_weight_once_and_again_when_it_changed()
    {
        if (!GemmHopper.IsAvailable(Gpu.Device)) Assert.Skip("needs compute capability 9.0");
        using MemoryScope scope = MemoryScope.Begin();
        Operands operands = new(6, 10, 12);
        Linear layer = new(operands.K, operands.N, new RandomSource(1, 2), bias: false);
        layer.SetTraining(false);
        layer.Weight.CopyFrom(Tensor.From(operands.B, [operands.N, operands.K]));
        layer.MoveTo(Gpu.Device.Device);
        layer.UseProducts(ProductPrecision.BFloat16);
        Tensor x = Gpu.From(operands.A, [operands.M, operands.K]);
        operands.Check(layer.Forward(x).ToArray<float>(), operands.Sums);
        layer.Weight.CopyFrom(Tensor.From(Array.ConvertAll(operands.B, value => -value), [operands.N, operands.K]));
        operands.Check(layer.Forward(x).ToArray<float>(), operands.Sums);
        layer.NotifyWeightsChanged();
        operands.Check(layer.Forward(x).ToArray<float>(), [.. operands.Sums.Select(sum => -sum)]);
    }

    [Fact]
    public void Other_GPUs_multiply_without_these_instructions()
    {
        _ = Gpu.Device;
        if (!Gpu.IsEmulated) Assert.Skip("needs an emulated GPU of compute capability 8.0");
        ProcessStartInfo start = new("dotnet", [typeof(GemmHopperTests).Assembly.Location, "-noColor", "-class", typeof(GemmOnGpuTests).FullName!]) { RedirectStandardOutput = true };
        start.Environment["LAVT_EMULATED_CAPABILITY"] = "80";
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, output);
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
            if (isPacked) GemmHopper.Pack(Gpu.Device.Stream, right, K, N, packed.DevicePointer<byte>(), precision);
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
