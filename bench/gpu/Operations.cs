using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Tensors;
using ProductPrecision = Lavt.Kernels.Cuda.ProductPrecision;

namespace Lavt.GpuBench;

/// <summary>Something to be timed, and the bytes of its inputs and results.</summary>
internal sealed record Work(Action Run, long Bytes);

/// <summary>The operations of LAVT with random inputs in a GPU's memory; with <c>-training</c> behind the name, with the gradients of all inputs.</summary>
internal static class Operations
{
    private const string Training = "-training";
    private const int HeadDim = 32;

    /// <summary>Makes an operation ready to run.</summary>
    /// <param name="name">What it is called in requests.</param>
    /// <param name="s">The sizes, whose meaning bench/README.md says.</param>
    /// <param name="precision">To what products are rounded.</param>
    /// <param name="device">Where it runs.</param>
    /// <exception cref="FormatException">There is no such operation, or it has other sizes.</exception>
    public static Work Make(string name, int[] s, ProductPrecision precision, Device device)
    {
        bool trains = name.EndsWith(Training, StringComparison.Ordinal);
        string kind = trains ? name[..^Training.Length] : name;
        switch (kind, s.Length)
        {
            case ("copy", 1):
                Tensor to = Tensor.Empty([s[0], 1 << 18], DType.F32, device), from = Values([s[0], 1 << 18], device);
                return new Work(() => to.CopyFrom(from), 2 * to.ByteCount());
            case ("linear", 3):
                Linear linear = Ready(new Linear(s[2], s[1], new RandomSource(1)), trains, precision, device);
                return Of(x => linear.Forward(x[0]), linear, trains, device, [s[0], s[2]]);
            case ("window-attention", 5):
                Volume map = Volume.Picture(s[1], s[1]), window = Volume.Picture(s[2], s[2]), shift = new(0, s[3], s[3]);
                int channels = HeadDim * s[4], rows = (2 * s[2] - 1) * (2 * s[2] - 1);
                return Of(x => Ops.WindowAttention(x[0], x[1], x[2], map, window, shift, window, precision), null, trains, device, [s[0], map.Count, 3 * channels], [3 * channels], [rows, s[4]]);
            case ("convolution", 5):
                Conv3d convolution = Ready(new Conv3d(s[3], s[4], new(s[1] > 1 ? 3 : 1, 3, 3), new RandomSource(1), bias: false), trains, precision, device);
                return Of(x => convolution.Forward(x[0]), convolution, trains, device, [s[0], s[1], s[2], s[2], s[3]]);
            case ("word-attention", 4):
                Tensor mask = Ops.To(Ops.Full([s[0], s[2]], 1), device);
                double scale = 1 / Math.Sqrt(s[3]);
                return Of(x => Ops.WordAttention(x[0], x[1], x[2], mask, 1, scale), null, trains, device, [s[0], s[1], s[3]], [s[0], s[2], s[3]], [s[0], s[2], s[3]]);
            case ("layer-norm", 2):
                return Of(x => Ops.LayerNorm(x[0], x[1], x[2]), null, trains, device, [s[0], s[1]], [s[1]], [s[1]]);
            case ("instance-norm", 3):
                return Of(x => Ops.InstanceNorm(x[0]), null, trains, device, [s[0], s[1], s[2]]);
            case ("gelu", 2):
                return Of(x => Ops.Gelu(x[0]), null, trains, device, [s[0], s[1]]);
            case ("resize", 3):
                return Of(x => Ops.Bilinear(x[0], 2 * s[1], 2 * s[1]), null, trains, device, [s[0], s[1], s[1], s[2]]);
            default:
                throw new FormatException($"no operation '{name}' with {s.Length} sizes");
        }
    }

    /// <summary>A layer as it is in training or, with what it keeps for its weights, in evaluation.</summary>
    private static TLayer Ready<TLayer>(TLayer layer, bool trains, ProductPrecision precision, Device device)
        where TLayer : Module
    {
        layer.SetTraining(trains);
        layer.UseProducts(precision);
        layer.MoveTo(device);
        return layer;
    }

    private static Work Of(Func<Tensor[], Tensor> compute, Module? layer, bool trains, Device device, params Shape[] shapes)
    {
        Tensor[] inputs = [.. shapes.Select(shape => Values(shape, device))];
        using MemoryScope scope = MemoryScope.Begin();
        Tensor output = compute(inputs);
        long given = inputs.Sum(ByteCount) + (layer?.Parameters().Sum(parameter => parameter.Value.ByteCount()) ?? 0), computed = output.ByteCount();
        if (!trains) return new Work(() => compute(inputs), given + computed);
        Tensor gradient = scope.Return(Values(output.Shape, device));
        foreach (Tensor input in inputs) input.RequireGradient();
        return new Work(() =>
        {
            using Tape tape = Tape.Begin();
            tape.Backward(compute(inputs), gradient);
            foreach (Tensor input in inputs) input.ClearGradient();
            layer?.ClearGradients();
        }, 3 * given + 2 * computed);
    }

    private static Tensor Values(Shape shape, Device device)
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor values = Tensor.Empty(shape);
        new RandomSource((ulong)shape.Count).FillUniform(values.Span<float>(), -1, 1);
        return scope.Return(Ops.To(values, device));
    }

    private static long ByteCount(this Tensor tensor) => tensor.Count * sizeof(float);
}
