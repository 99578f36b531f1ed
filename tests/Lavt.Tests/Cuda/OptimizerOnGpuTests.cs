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

    [Fact]
    public void The_scale_of_a_loss_moves_as_in_PyTorch_and_steps_that_overflow_change_nothing()
    {
        using MemoryScope scope = MemoryScope.Begin();
        LossScaler scaler = new(Gpu.Device.Device);
        Tensor own = Ops.To(Random(5, 1), Device.Cpu).RequireGradient(), onGpu = Ops.To(Random(5, 1), Gpu.Device.Device).RequireGradient();
        AdamW expected = new([new("all", [("p", own)], 0.1)], 0.01), actual = new([new("all", [("p", onGpu)], 0.1)], 0.01);
        float scale = 65536;
        int good = 0, made = 0;
        for (int step = 0; step < 60; step++)
        {
            // Those that overflow: two at the start, one a little later, one right behind the first growth.
            bool overflows = step is 0 or 1 or 5 or 21;
            // Most good steps of an interval are passed over.
            if (step is 11 or 41) scaler.Restore(scale, good = 1990);
            Tensor gradient = Random(5, step);
            using (Tape tape = Tape.Begin())
            {
                Tensor factors = Ops.To(gradient, Gpu.Device.Device);
                if (overflows) factors = Ops.Scale(factors, step == 1 ? double.NaN : double.PositiveInfinity);
                tape.Backward(Ops.Sum(Ops.Multiply(onGpu, factors)), scaler.Seed(1));
            }
            actual.Step(1, scaler);
            onGpu.ClearGradient();
            if (!overflows)
            {
                own.ReplaceGradient(gradient);
                expected.Step();
                made++;
            }
            // aten/src/ATen/native/cuda/AmpKernels.cu, amp_update_scale_cuda_kernel: growth 2, backoff 0.5, interval 2000.
            if (overflows) (scale, good) = (scale * 0.5f, 0);
            else if (++good == 2000) (scale, good) = (scale * 2, 0);
            Assert.Equal((scale, good), scaler.Read());
        }
        Assert.Equal(own.ToArray<float>(), onGpu.ToArray<float>());
        Assert.Equal(made, actual.MomentsOf(onGpu)!.Step);
        // 65536, halved four times, doubled at steps 20 and 50.
        Assert.Equal((16384, 9), scaler.Read());
    }

    [Fact]
    public void The_scale_stays_a_finite_float()
    {
        using MemoryScope scope = MemoryScope.Begin();
        LossScaler scaler = new(Gpu.Device.Device);
        Tensor parameter = Ops.To(Random(3, 1), Gpu.Device.Device).RequireGradient();
        AdamW optimizer = new([new("all", [("p", parameter)], 0)], 0.01);
        void Step(double gradient)
        {
            parameter.ReplaceGradient(Ops.Full([3], gradient, DType.F32, Gpu.Device.Device));
            optimizer.Step(1, scaler);
        }

        scaler.Restore(Math.Pow(2, 127), 1999);
        Step(1);
        Assert.Equal((Math.Pow(2, 127), 0), scaler.Read());
        scaler.Restore(Math.Pow(2, -149), 7);
        Step(double.NegativeInfinity);
        Assert.Equal((0, 0), scaler.Read());
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
