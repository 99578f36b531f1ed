using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Kernels.Cuda;
using Lavt.Tensors;
using Lavt.Tests.Autograd;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>What the small sizes of <see cref="OpCases"/> do not reach: sizes above a tile, a block and a chunk, and rounded products; against the CPU.</summary>
public class LayersOnGpuTests
{
    /// <summary>All cases, or those whose names begin with one of the words in LAVT_TEST_OPS.</summary>
    public static TheoryData<int> Cases()
    {
        string[] wanted = (Environment.GetEnvironmentVariable("LAVT_TEST_OPS") ?? "").Split(',');
        return [.. All().Index().Where(op => wanted.Any(word => op.Item.Name.StartsWith(word, StringComparison.Ordinal))).Select(op => op.Index)];
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void On_the_GPU_equals_on_the_CPU(int index)
    {
        OpCase op = All().ElementAt(index);
        Device gpu = Gpu.Device.Device;
        using MemoryScope scope = MemoryScope.Begin();
        (Tensor expected, Tensor[] expectedGradients) = Differentiate(op, Device.Cpu);
        foreach (int order in Gpu.Orders)
        {
            Gpu.SetOrder(order);
            (Tensor output, Tensor[] gradients) = Differentiate(op, gpu);
            AssertClose(expected, output, ErrorOf(op), $"{op}: result in order {order}");
            for (int i = 0; i < gradients.Length; i++) AssertClose(expectedGradients[i], gradients[i], 2e-5f, $"{op}: gradient of input {i} in order {order}");
        }
        Gpu.SetOrder(0);
    }

    /// <summary>Probabilities have many digits, of which bfloat16 keeps eight bits and float16 eleven; so do queries, which are scaled.</summary>
    private static float ErrorOf(OpCase op) =>
        op.Name.StartsWith("WindowAttention BFloat16", StringComparison.Ordinal) ? 4e-3f
        : op.Name.StartsWith("WindowAttention Float16", StringComparison.Ordinal) ? 5e-4f
        : 2e-5f;

    private static IEnumerable<OpCase> All()
    {
        foreach (ProductPrecision precision in Enum.GetValues<ProductPrecision>())
            yield return new($"Conv3d {precision}", [[1, 2, 6, 7, 70], [66, 70, 3, 3, 1], [66]], x => Ops.Conv3d(x[0], x[1], x[2], Activation.None, precision));
        yield return new("Conv3d in parts", [[2, 2, 23, 30, 3], [5, 3, 1, 3, 3], [5]], x => Ops.Conv3d(x[0], x[1], x[2]));
        foreach (ProductPrecision precision in (ProductPrecision[])[ProductPrecision.Float32, ProductPrecision.BFloat16, ProductPrecision.Float16])
        {
            yield return Windows(Volume.Picture(13, 20), Volume.Picture(12, 12), new(0, 6, 6), 2, precision);
            yield return Windows(new(8, 7, 8), new(8, 7, 7), new(0, 3, 3), 1, precision);
        }
        yield return new("WordAttention", [[2, 100, 66], [2, 40, 66], [2, 40, 66]], x => Ops.WordAttention(x[0], x[1], x[2], Ops.Full([2, 40], 1, DType.F32, x[0].Device), 2, 0.2));
        yield return new("BatchNorm", [[2, 40, 60, 3], [3], [3]], x => Ops.BatchNorm(x[0], x[1], x[2], Ops.Full([3], 0, DType.F32, x[0].Device), Ops.Full([3], 1, DType.F32, x[0].Device), training: true));
        yield return new("InstanceNorm", [[2, 150, 40]], x => Ops.InstanceNorm(x[0]));
        yield return new("MaxPool", [[2, 30, 33, 2]], x => Ops.MaxPool(x[0], 5));
        yield return new("CrossEntropyLoss", [[2, 70, 71, 2]], x => Ops.CrossEntropyLoss(x[0], Target(x[0])));
        yield return new("DiceFocalLoss", [[2, 70, 71, 2]], x => Ops.DiceFocalLoss(x[0], Target(x[0])));
        yield return new("DiceBoundaryLoss", [[2, 70, 71, 2]], x => Ops.DiceBoundaryLoss(x[0], Target(x[0])));
        yield return new("Dropout", [[5000]], x =>
        {
            Generator.Current = new RandomSource(3);
            return Ops.Dropout(x[0], 0.4);
        });
    }

    private static OpCase Windows(Volume map, Volume window, Volume shift, int heads, ProductPrecision precision)
    {
        int rows = (2 * window.Frames - 1) * (2 * window.Height - 1) * (2 * window.Width - 1), channels = 32 * heads;
        return new($"WindowAttention {precision} {map} window {window}", [[1, map.Count, 3 * channels], [3 * channels], [rows, heads]], x => Ops.WindowAttention(x[0], x[1], x[2], map, window, shift, window, precision));
    }

    /// <summary>A target with stripes of seven pixels, on the logits' device.</summary>
    private static Tensor Target(Tensor logits)
    {
        Tensor target = Tensor.Empty([logits.Shape[0], logits.Shape[1], logits.Shape[2]], DType.U8);
        Span<byte> values = target.Span<byte>();
        for (int i = 0; i < values.Length; i++) values[i] = (byte)(i / 7 % 3 == 0 ? 1 : 0);
        return Ops.To(target, logits.Device);
    }

    private static (Tensor Output, Tensor[] Gradients) Differentiate(OpCase op, Device device)
    {
        Tensor[] inputs = [.. op.Inputs.Select((shape, i) => Ops.To(Numbers(shape, i), device).RequireGradient())];
        using Tape tape = Tape.Begin();
        Tensor output = op.Compute(inputs);
        tape.Backward(output, Ops.To(Numbers(output.Shape, 99), device));
        return (output.Detach(), [.. inputs.Select(input => input.Gradient()!)]);
    }

    /// <summary>Multiples of 1/64 below 1, which bfloat16 holds exactly.</summary>
    private static Tensor Numbers(Shape shape, int seed)
    {
        float[] values = new float[shape.Count];
        new RandomSource((ulong)seed, 21).FillUniform(values, -1, 1);
        return Tensor.From(Array.ConvertAll(values, value => MathF.Round(value * 64) / 64), shape);
    }

    private static void AssertClose(Tensor expected, Tensor actual, float error, string what)
    {
        Assert.Equal(expected.Shape, actual.Shape);
        float[] e = expected.ToArray<float>(), a = actual.ToArray<float>();
        float bound = error * Math.Max(1e-6f, e.Max(Math.Abs));
        for (int i = 0; i < e.Length; i++) Assert.True(Math.Abs(e[i] - a[i]) <= bound, $"{what}, element {i}: {a[i]}, expected {e[i]}");
    }
}
