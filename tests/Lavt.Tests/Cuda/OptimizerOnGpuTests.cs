using Lavt.Autograd;
using Lavt.Nn;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>AdamW and the norm of gradients on the GPU, against the CPU.</summary>
public class OptimizerOnGpuTests
{
    /// <summary>More parameters than one launch takes, around the sizes of vectors and of blocks.</summary>
    private static readonly int[] s_sizes = [.. Enumerable.Range(0, 50).Select(i => 1 + i * i % 37), 2100, 5000];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Steps_have_the_bits_of_those_on_the_CPU(bool amsgrad)
    {
        using MemoryScope scope = MemoryScope.Begin();
        Device gpu = Gpu.Device.Device;
        foreach (int order in Gpu.Orders)
        {
            Gpu.SetOrder(order);
            float[][] expected = Train(Device.Cpu, amsgrad, out double norm), actual = Train(gpu, amsgrad, out double normOnGpu);
            for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i]);
            Assert.Equal(norm, normOnGpu, norm * 1e-6);
        }
        Gpu.SetOrder(0);
    }

    private static float[][] Train(Device device, bool amsgrad, out double norm)
    {
        Tensor[] parameters = [.. s_sizes.Select((size, i) => Ops.To(Random(size, i), device).RequireGradient())];
        (string, Tensor)[] named = [.. parameters.Select((p, i) => ($"p{i}", p))];
        AdamW optimizer = new([new("decayed", named[..20], 0.1), new("others", named[20..], 0)], 0.01, amsgrad: amsgrad);
        norm = 0;
        for (int step = 0; step < 3; step++)
        {
            using Tape tape = Tape.Begin();
            Tensor loss = Ops.Full([], 0, DType.F32, device);
            for (int i = 0; i < parameters.Length; i++)
                loss = Ops.Add(loss, Ops.Sum(Ops.Multiply(parameters[i], Ops.To(Random(s_sizes[i], 100 * step + i), device))));
            tape.Backward(loss);
            norm = optimizer.GradientNorm();
            optimizer.Step(0.5);
            foreach (Tensor parameter in parameters) parameter.ClearGradient();
        }
        return [.. parameters.Select(p => p.ToArray<float>())];
    }

    private static Tensor Random(int size, int seed)
    {
        float[] values = new float[size];
        new RandomSource((ulong)seed, 5).FillUniform(values, -1, 1);
        return Tensor.From(values, [size]);
    }
}
