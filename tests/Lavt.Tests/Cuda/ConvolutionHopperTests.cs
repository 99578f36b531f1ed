using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Nn;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Convolutions with wgmma and TMA against loops in double, with operands that 16 bits hold exactly.</summary>
public unsafe class ConvolutionHopperTests
{
    /// <summary>Batch, frames, height, width, kernel's frames and side, channels in and out: maps smaller and larger than a box, channels that fill no stage, and 6 that boxes cannot take.</summary>
    public static TheoryData<int, int, int, int, int, int, int, int> Cases => new()
    {
        { 2, 1, 5, 7, 1, 3, 4, 6 }, { 1, 1, 20, 13, 1, 3, 68, 132 }, { 1, 3, 9, 17, 3, 3, 12, 72 }, { 1, 2, 16, 16, 1, 1, 64, 64 }, { 1, 1, 1, 200, 1, 3, 36, 20 },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_and_gradient_of_the_input_equal_loops(int batch, int frames, int height, int width, int kernelFrames, int kernelSide, int input, int output)
    {
        if (!GemmHopper.IsAvailable(Gpu.Device)) Assert.Skip("needs compute capability 9.0");
        Volume map = new(frames, height, width), kernel = new(kernelFrames, kernelSide, kernelSide);
        float[] x = Values(batch * map.Count * input, 1), weight = Values(output * input * kernel.Count, 2), bias = Values(output, 3), dy = Values(batch * map.Count * output, 4);
        double[] sums = Convolve(x, batch, map, input, output, kernel, (o, c, tap) => weight[(o * input + c) * kernel.Count + tap]);
        double[] expected = [.. sums.Select((sum, i) => Math.Max(0, sum + bias[i % output]))];
        double[] gradient = Convolve(dy, batch, map, output, input, kernel, (c, o, tap) => weight[(o * input + c) * kernel.Count + kernel.Count - 1 - tap]);
        foreach (int order in Gpu.Orders)
        {
            Gpu.SetOrder(order);
            ProductPrecision precision = order == 1 ? ProductPrecision.Float16 : ProductPrecision.BFloat16;
            using MemoryScope scope = MemoryScope.Begin();
            Tensor onX = Gpu.From(x, [x.Length]), onWeight = Gpu.From(weight, [weight.Length]), onBias = Gpu.From(bias, [output]), onDy = Gpu.From(dy, [dy.Length]);
            Tensor y = onX.EmptyLike([dy.Length]), dx = onX.EmptyLike([x.Length]);
            Epilogue epilogue = new() { Bias = onBias.DevicePointer<float>(), Activation = Activation.Relu };
            Lavt.Kernels.Cuda.Convolution.Forward(Gpu.Device.Stream, onX.DevicePointer<float>(), batch, map, input, onWeight.DevicePointer<float>(), kernel, output, y.DevicePointer<float>(), epilogue, precision);
            Lavt.Kernels.Cuda.Convolution.BackwardData(Gpu.Device.Stream, onDy.DevicePointer<float>(), batch, map, input, onWeight.DevicePointer<float>(), kernel, output, dx.DevicePointer<float>(), precision);
            Check(expected, y.ToArray<float>(), "y");
            Check(gradient, dx.ToArray<float>(), "dx");
        }
        Gpu.SetOrder(0);
    }

    [Theory]
    [InlineData(ProductPrecision.BFloat16)]
    [InlineData(ProductPrecision.Float16)]
    public void Layers_pack_their_weights_once_for_inference(ProductPrecision precision)
    {
        if (!GemmHopper.IsAvailable(Gpu.Device)) Assert.Skip("needs compute capability 9.0");
        using MemoryScope scope = MemoryScope.Begin();
        Conv3d clips = new(12, 70, new Volume(3, 3, 3), new RandomSource(3));
        Conv3x3 pictures = new(36, 6, new RandomSource(4));
        AssertPacksOnce(clips, clips.Weight, Gpu.From(Values(2 * 3 * 4 * 5 * 12, 5), [2, 3, 4, 5, 12]), x => clips.Forward(x, Activation.Gelu), precision);
        AssertPacksOnce(pictures, pictures.Weight, Gpu.From(Values(2 * 9 * 7 * 36, 6), [2, 9, 7, 36]), pictures.Forward, precision);
    }

    private static void AssertPacksOnce(Module layer, Tensor weight, Tensor x, Func<Tensor, Tensor> forward, ProductPrecision precision)
    {
        layer.MoveTo(Gpu.Device.Device);
        layer.UseProducts(precision);
        layer.SetTraining(false);
        float[] first = forward(x).ToArray<float>();
        DriverCalls start = DriverCalls.OfThisThread;
        Tensor y = forward(x);
        // The result's memory is all that is asked for.
        Assert.Equal(new DriverCalls(Launches: 1, Graphs: 0, Allocations: 1, Waits: 0), DriverCalls.OfThisThread - start);
        Assert.Equal(first, y.ToArray<float>());
        // Maps that boxes cannot take, beginning between two of their places, are convolved with the weight itself.
        Tensor moved = Tensor.Empty([checked((int)x.Count) + 1], DType.F32, x.Device).ViewSlice(0, 1, checked((int)x.Count)).ViewAs(x.Shape);
        moved.CopyFrom(x);
        AssertNear(first, forward(moved).ToArray<float>());

        foreach (float factor in (float[])[2, -1])
        {
            weight.CopyFrom(Ops.Scale(weight, factor));
            layer.NotifyWeightsChanged();
            float[] packed = forward(x).ToArray<float>();
            // While training, weights change with every step.
            layer.SetTraining(true);
            Assert.Equal(forward(x).ToArray<float>(), packed);
            layer.SetTraining(false);
        }
        Assert.NotEqual(first, forward(x).ToArray<float>());
    }

    private static void AssertNear(float[] expected, float[] actual) => Check(Array.ConvertAll(expected, value => (double)value), actual, "y");

    /// <summary>y[pixel, o] = Σ x[pixel + tap, c] weight(o, c, tap), zeros around the maps.</summary>
    private static double[] Convolve(float[] x, int batch, Volume map, int input, int output, Volume kernel, Func<int, int, int, float> weight)
    {
        double[] y = new double[batch * map.Count * output];
        for (int pixel = 0; pixel < batch * map.Count; pixel++)
        {
            int column = pixel % map.Width, row = pixel / map.Width % map.Height, frame = pixel / map.Plane % map.Frames;
            for (int tap = 0; tap < kernel.Count; tap++)
            {
                int right = tap % kernel.Width - kernel.Width / 2, down = tap / kernel.Width % kernel.Height - kernel.Height / 2, later = tap / kernel.Plane - kernel.Frames / 2;
                if (column + right < 0 || column + right >= map.Width || row + down < 0 || row + down >= map.Height || frame + later < 0 || frame + later >= map.Frames) continue;
                int from = pixel + (later * map.Height + down) * map.Width + right;
                for (int o = 0; o < output; o++)
                    for (int c = 0; c < input; c++) y[pixel * output + o] += (double)x[from * input + c] * weight(o, c, tap);
            }
        }
        return y;
    }

    private static void Check(double[] expected, float[] actual, string what)
    {
        for (int i = 0; i < actual.Length; i++)
            if (!(Math.Abs(expected[i] - actual[i]) <= 1e-4)) Assert.Fail($"{what}, element {i}: {actual[i]}, expected {expected[i]}");
    }

    private static float[] Values(int count, ulong seed)
    {
        float[] values = new float[count];
        new RandomSource(seed, 3).FillUniform(values, -1, 1);
        return Array.ConvertAll(values, value => MathF.Round(value * 64) / 64);
    }
}
