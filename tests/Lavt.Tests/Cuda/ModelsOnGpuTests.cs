using Lavt.Autograd;
using Lavt.Models;
using Lavt.Options;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Whole small models, text encoder included: logits and the gradients of all parameters against the CPU.</summary>
public class ModelsOnGpuTests
{
    private const int Frames = 3;
    private const int Words = 5;
    private const int Height = 36;
    private const int Width = 40;
    private const string Small = " --embed_dim 16 --depths 1-2-1-1 --heads 1-2-4-8 --window 3 --drop_path 0 --bert_vocabulary 30 --bert_hidden 16 --bert_layers 1 --bert_heads 2 --bert_intermediate 32 --bert_positions 22";

    [Theory]
    [InlineData("--model lavt_one")]
    [InlineData("--model lavt_video --sep_t_pwam --conv3d_kernel_size_t 3-3-3 --w_t3x3_s1x1 --mm_t3x3_s1x1")]
    public void Logits_and_gradients_equal_those_of_the_CPU(string flags)
    {
        using MemoryScope scope = MemoryScope.Begin();
        Device gpu = Gpu.Device.Device;
        (Tensor logits, Dictionary<string, float[]> gradients) = Differentiate(flags, gpu);
        (Tensor expected, Dictionary<string, float[]> expectedGradients) = Differentiate(flags, Device.Cpu);
        AssertClose(expected.ToArray<float>(), logits.ToArray<float>(), 1e-4, "logits");
        Assert.Equal(expectedGradients.Keys, gradients.Keys);
        double largest = expectedGradients.Values.Max(Norm);
        foreach ((string name, float[] gradient) in expectedGradients)
            if (Norm(gradient) > 1e-4 * largest) AssertClose(gradient, gradients[name], 5e-3, name);
    }

    private static (Tensor Logits, Dictionary<string, float[]> Gradients) Differentiate(string flags, Device device)
    {
        LavtModel model = new(ModelOptions.Parse(flags + Small), new RandomSource(7));
        // Not in training mode, for dropout of BERT; the running statistics serve as well for gradients.
        model.SetMode(training: false);
        model.MoveTo(device);
        Tensor mask = Ops.To(Ops.Full([1, Words], 1), device), ids = Tensor.From(Enumerable.Range(3, Words).Select(i => (long)i).ToArray(), [1, Words]);
        bool ofClips = model.Options.Model == ModelKind.LavtVideo;
        Tensor frames = Ops.To(Random(ofClips ? [1, Frames, 3, Height, Width] : [1, 3, Height, Width]), device);
        using Tape tape = Tape.Begin();
        Tensor language = model.TextEncoder.Forward(Ops.To(ids, device), mask);
        Tensor logits = model.Forward(frames, language, mask);
        tape.Backward(logits, Ops.To(Random(logits.Shape), device));
        return (logits.Detach(), model.Parameters().Where(p => p.Value.Gradient() is not null).ToDictionary(p => p.Name, p => p.Value.Gradient()!.ToArray<float>()));
    }

    private static Tensor Random(Shape shape)
    {
        Tensor tensor = Tensor.Empty(shape);
        new RandomSource((ulong)shape.Count).FillUniform(tensor.Span<float>(), -1, 1);
        return tensor;
    }

    private static double Norm(float[] values) => Math.Sqrt(values.Sum(value => (double)value * value));

    private static void AssertClose(float[] expected, float[] actual, double bar, string what)
    {
        double error = Norm([.. expected.Zip(actual, (e, a) => a - e)]) / Norm(expected);
        Assert.True(error <= bar, $"{what}: relative error {error:E1}, bar {bar:E1}");
    }
}
