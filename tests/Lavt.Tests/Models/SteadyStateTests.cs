using Lavt.Autograd;
using Lavt.Losses;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Training;
using Xunit;

namespace Lavt.Tests.Models;

/// <summary>
/// Once warm, a step asks the system for no memory, and the managed heap gets nothing but the small objects that describe
/// operations: their number depends on the layers (and in inference on the sentences), never on the size of pictures.
/// </summary>
public class SteadyStateTests
{
    private const long BytesPerStep = 1 << 20;

    [Fact]
    public void Training_allocates_no_numbers()
    {
        LavtModel model = Small();
        AdamW optimizer = new(ParameterGroups.Of(model, TrainedLanguage.EmbeddingsEncoderAll, 0.01), 1e-4);
        ParameterGroups.Freeze(model, optimizer);
        model.SetMode(training: true);
        (long small, long native) = Measure(() => Train(model, optimizer, 64));
        (long large, long nativeLarge) = Measure(() => Train(model, optimizer, 128));
        Assert.Equal(0, native);
        Assert.Equal(0, nativeLarge);
        Assert.InRange(large, 0, BytesPerStep);
        Assert.InRange(large, 0, small + small / 4);
    }

    [Fact]
    public void Inference_allocates_no_numbers()
    {
        LavtModel model = Small();
        model.KeepForInferenceOnly();
        (long small, long native) = Measure(() => Predict(model, 64));
        (long large, long nativeLarge) = Measure(() => Predict(model, 128));
        Assert.Equal(0, native);
        Assert.Equal(0, nativeLarge);
        Assert.InRange(large, 0, BytesPerStep / 4);
        Assert.InRange(large, 0, small + small / 4);
    }

    [Fact]
    public void A_model_for_inference_gives_the_same_logits_and_cannot_be_trained()
    {
        LavtModel model = Small();
        float[] before = Logits(model), after;
        model.KeepForInferenceOnly();
        after = Logits(model);
        Assert.Equal(before, after);
        Assert.Throws<InvalidOperationException>(() => model.SetMode(training: true));

        static float[] Logits(LavtModel model)
        {
            using MemoryScope scope = MemoryScope.Begin();
            (Tensor picture, Tensor ids, Tensor mask) = Inputs(64);
            return model.Forward(picture, model.TextEncoder.Forward(ids, mask), mask).ToArray<float>();
        }
    }

    [Fact]
    public void Checkpointing_gives_the_same_gradients()
    {
        float[][] gradients = [.. new[] { false, true }.Select(Gradient)];
        for (int i = 0; i < gradients[0].Length; i++) Assert.Equal(gradients[0][i], gradients[1][i], 1e-5f * Math.Max(1, Math.Abs(gradients[0][i])));

        static float[] Gradient(bool checkpoint)
        {
            LavtModel model = Small(new ModelOptions { UseCheckpoint = checkpoint, DropPath = 0.3 });
            model.SetMode(training: true);
            Generator.Current = new RandomSource(5);
            using MemoryScope scope = MemoryScope.Begin();
            (Tensor picture, Tensor ids, Tensor mask) = Inputs(64);
            using Tape tape = Tape.Begin();
            tape.Backward(Ops.CrossEntropyLoss(model.Forward(picture, model.TextEncoder.Forward(ids, mask), mask), Target(64)));
            return model.Parameters().First(p => p.Name == "backbone.layers.0.blocks.0.attn.qkv.weight").Value.Gradient()!.ToArray<float>();
        }
    }

    private static void Train(LavtModel model, AdamW optimizer, int size)
    {
        using MemoryScope scope = MemoryScope.Begin();
        (Tensor picture, Tensor ids, Tensor mask) = Inputs(size);
        using Tape tape = Tape.Begin();
        Tensor logits = model.Forward(picture, model.TextEncoder.Forward(ids, mask), mask);
        tape.Backward(SegmentationLoss.Compute(new TrainingOptions(), logits, Target(size)));
        optimizer.Step();
        model.ClearGradients();
    }

    private static void Predict(LavtModel model, int size)
    {
        using MemoryScope scope = MemoryScope.Begin();
        (Tensor picture, Tensor ids, Tensor mask) = Inputs(size);
        model.Forward(picture, model.TextEncoder.Forward(ids, mask), mask);
    }

    /// <summary>Managed bytes of a warm step, and how often it asked the system for memory.</summary>
    private static (long Managed, long Native) Measure(Action step)
    {
        for (int i = 0; i < 3; i++) step();
        long native = HostAllocator.SystemAllocations, managed = GC.GetAllocatedBytesForCurrentThread();
        const int Steps = 4;
        for (int i = 0; i < Steps; i++) step();
        return ((GC.GetAllocatedBytesForCurrentThread() - managed) / Steps, HostAllocator.SystemAllocations - native);
    }

    private static LavtModel Small(ModelOptions? options = null) => new((options ?? new ModelOptions { DropPath = 0 }) with
    {
        Model = ModelKind.LavtOne,
        EmbedDim = 24,
        Depths = new PerStage(2, 2, 2, 2),
        Heads = new PerStage(1, 2, 4, 8),
        Bert = new BertOptions { VocabularySize = 50, HiddenSize = 32, Layers = 2, Heads = 2, IntermediateSize = 64, Positions = 20, Dropout = 0 },
    }, new RandomSource(3));

    private static (Tensor Picture, Tensor Ids, Tensor Mask) Inputs(int size)
    {
        Tensor picture = Tensor.Empty([2, 3, size, size]), ids = Tensor.Empty([2, 20], DType.I64), mask = Ops.Full([2, 20], 1);
        new RandomSource(1).FillUniform(picture.Span<float>(), -2, 2);
        ids.Span<long>().Fill(7);
        return (picture, ids, mask);
    }

    private static Tensor Target(int size)
    {
        Tensor target = Tensor.Zeros([2, size, size], DType.U8);
        target.Span<byte>()[..(size * size)].Fill(1);
        return target;
    }
}
