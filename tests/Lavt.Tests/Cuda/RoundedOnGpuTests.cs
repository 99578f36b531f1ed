using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Kernels.Cuda;
using Lavt.Models;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Numbers kept in 16 bits between the layers of inference: the bits are those of float32 rounded where they are stored.</summary>
public class RoundedOnGpuTests
{
    private const int Rows = 70;
    private const int Inputs = 40;
    private const int Outputs = 66;
    private static readonly Volume s_map = Volume.Picture(7, 9);
    private static readonly Volume s_window = Volume.Picture(5, 5);

    [Theory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    public void Layer_norm_rounds_its_result(DType type) => ForAllOrders(() =>
    {
        Tensor x = Numbers([Rows, Inputs], 1), gamma = Numbers([Inputs], 2), beta = Numbers([Inputs], 3);
        AssertEqual(Rounded(Ops.LayerNorm(x, gamma, beta), type), Ops.LayerNormRounded(x, gamma, beta, 1e-5, type), type);
    });

    [Theory]
    [InlineData(DType.BF16, DType.F32)]
    [InlineData(DType.BF16, DType.BF16)]
    [InlineData(DType.F16, DType.F32)]
    [InlineData(DType.F16, DType.F16)]
    public void Linear_takes_rounded_numbers_and_rounds_its_result(DType type, DType result) => ForAllOrders(() =>
    {
        Tensor x = Numbers([2, Rows, Inputs], 1), weight = Numbers([Outputs, Inputs], 2), bias = Numbers([Outputs], 3), residual = Numbers([2, Rows, Outputs], 4);
        ProductPrecision precision = type == DType.BF16 ? ProductPrecision.BFloat16 : ProductPrecision.Float16;
        foreach (Activation activation in (Activation[])[Activation.None, Activation.Gelu])
        {
            Tensor expected = Ops.Linear(x, weight, bias, activation, residual, precision: precision);
            AssertEqual(Rounded(expected, result), Ops.LinearRounded(Halves(x, type), weight, bias, activation, residual, result), result);
        }
        AssertEqual(Rounded(Ops.Linear(x, weight, precision: precision), result), Ops.LinearRounded(Halves(x, type), weight, null, Activation.None, null, result), result);
    });

    [Theory]
    [InlineData(DType.BF16)]
    [InlineData(DType.F16)]
    public void Window_attention_takes_and_gives_rounded_numbers(DType type) => ForAllOrders(() =>
    {
        Tensor qkv = Numbers([2, s_map.Count, 192], 1), bias = Numbers([192], 2), table = Numbers([81, 2], 3);
        ProductPrecision precision = type == DType.BF16 ? ProductPrecision.BFloat16 : ProductPrecision.Float16;
        Tensor expected = Ops.WindowAttention(qkv, bias, table, s_map, s_window, new(0, 2, 2), s_window, precision);
        AssertEqual(Rounded(expected, type), Ops.WindowAttention(Halves(qkv, type), bias, table, s_map, s_window, new(0, 2, 2), s_window), type);
    });

    [Theory]
    [InlineData(ProductPrecision.BFloat16, 1.0 / 256)]
    [InlineData(ProductPrecision.Float16, 1.0 / 2048)]
    public void A_block_of_inference_keeps_its_precision(ProductPrecision precision, double unit)
    {
        using MemoryScope scope = MemoryScope.Begin();
        SwinBlock block = new(64, 2, s_window, new(0, 2, 2), Ops.RelativePositions(s_window), 0, new RandomSource(3));
        Tensor x = Numbers([1, s_map.Count, 64], 5);
        float[] exact = block.Forward(Ops.To(x, Device.Cpu), s_map).ToArray<float>();
        block.MoveTo(Gpu.Device.Device);
        block.UseProducts(precision);
        float[] actual = block.Forward(x, s_map).ToArray<float>(), input = x.ToArray<float>();
        // Beside what passes by on the residual connection.
        double error = Math.Sqrt(exact.Zip(actual, (e, a) => Math.Pow(e - a, 2)).Sum() / exact.Zip(input, (e, i) => Math.Pow(e - i, 2)).Sum());
        Assert.InRange(error, unit / 100, 2 * unit);
    }

    [Fact]
    public void Between_layers_of_inference_are_16_bits_and_with_a_tape_32()
    {
        using MemoryScope scope = MemoryScope.Begin();
        WindowAttentionLayer layer = new(64, 2, s_window, Ops.RelativePositions(s_window), new RandomSource(3));
        layer.MoveTo(Gpu.Device.Device);
        layer.UseProducts(ProductPrecision.BFloat16);
        Tensor x = Numbers([1, s_map.Count, 64], 5);
        Assert.Equal(DType.BF16, layer.Attend(Halves(x, DType.BF16), s_map, s_window, default).DType);
        using Tape tape = Tape.Begin();
        Assert.Equal(DType.F32, layer.Attend(x, s_map, s_window, default).DType);
    }

    [Fact]
    public void What_is_not_for_it_is_refused()
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor x = Numbers([4, 8], 1), gamma = Numbers([8], 2), weight = Numbers([4, 8], 3);
        Assert.Contains("cpu", Assert.Throws<MissingKernelException>(() => Ops.LayerNormRounded(Ops.To(x, Device.Cpu), gamma, gamma, 1e-5, DType.BF16)).Message, StringComparison.Ordinal);
        Assert.Contains("F32", Assert.Throws<ArgumentException>(() => Ops.LinearRounded(x, weight, null, Activation.None, null, DType.F32)).Message, StringComparison.Ordinal);
        Assert.Contains("the result F32 or BF16", Assert.Throws<ArgumentException>(() => Ops.LinearRounded(Halves(x, DType.BF16), weight, null, Activation.None, null, DType.F16)).Message, StringComparison.Ordinal);
        Assert.Contains("heads of 32", Assert.Throws<NotSupportedException>(() => Ops.WindowAttention(Halves(Numbers([1, 63, 96], 1), DType.F16), Numbers([96], 2), Numbers([81, 2], 3), s_map, s_window, default, s_window)).Message, StringComparison.Ordinal);
    }

    private static void ForAllOrders(Action check)
    {
        foreach (int order in Gpu.Orders)
        {
            Gpu.SetOrder(order);
            using MemoryScope scope = MemoryScope.Begin();
            check();
        }
        Gpu.SetOrder(0);
    }

    /// <summary>Multiples of 1/64 below 1, which both types hold exactly.</summary>
    private static Tensor Numbers(Shape shape, int seed)
    {
        float[] values = new float[shape.Count];
        new RandomSource((ulong)seed, 22).FillUniform(values, -1, 1);
        return Gpu.From(Array.ConvertAll(values, value => MathF.Round(value * 64) / 64), shape);
    }

    /// <summary>The values on the host as a type holds them, to the nearest, ties to even.</summary>
    private static float[] Rounded(Tensor tensor, DType type) => Array.ConvertAll(tensor.ToArray<float>(), value => type switch
    {
        DType.BF16 => BitConverter.UInt32BitsToSingle((BitConverter.SingleToUInt32Bits(value) + 0x7FFF + (BitConverter.SingleToUInt32Bits(value) >> 16 & 1)) & 0xFFFF0000),
        DType.F16 => (float)(Half)value,
        _ => value,
    });

    /// <summary>The tensor's exact values in 16 bits on the GPU.</summary>
    private static Tensor Halves(Tensor tensor, DType type)
    {
        Tensor halves = Tensor.Empty(tensor.Shape, type);
        float[] values = tensor.ToArray<float>();
        if (type == DType.BF16) Array.ConvertAll(values, value => (short)(BitConverter.SingleToInt32Bits(value) >> 16)).CopyTo(halves.Span<short>());
        else Array.ConvertAll(values, value => (Half)value).CopyTo(halves.Span<Half>());
        return halves.CopyTo(Gpu.Device.Device);
    }

    private static void AssertEqual(float[] expected, Tensor actual, DType type)
    {
        Assert.Equal(type, actual.DType);
        Assert.Equal(expected, actual.CopyTo(Device.Cpu).To(DType.F32).ToArray<float>());
    }
}
