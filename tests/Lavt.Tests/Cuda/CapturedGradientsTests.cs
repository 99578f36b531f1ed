using Lavt.Autograd;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Losses;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Forward and backward passes and whole training steps as CUDA graphs: the bits of those as they are, random numbers and counters included.</summary>
public sealed class CapturedGradientsTests : IDisposable
{
    private const string Flags = "--model lavt_one --embed_dim 8 --depths 1-2-1-1 --heads 1-1-2-2 --window 3 --drop_path 0.3 --fusion_drop 0.2 "
        + "--bert_vocabulary 30 --bert_hidden 16 --bert_layers 1 --bert_heads 2 --bert_intermediate 32 --bert_positions 22";

    private static readonly TrainingOptions s_training = new();

    private readonly RandomSource _before = Generator.Current;

    public void Dispose() => Generator.Current = _before;

    [Theory]
    [InlineData("")]
    [InlineData(" --use_checkpoint")]
    public void Gradients_have_the_bits_of_passes_as_they_are(string more)
    {
        LavtModel plain = Model(Flags + more), captured = Model(Flags + more);
        KeptGradients gradients = new(captured);
        using CapturedGradients graph = new(captured.Device, captured.State().Select(entry => entry.Value), gradients.Keep);
        RandomSource plainRandom = new(5, 1000), random = new(5, 1000);
        for (int pass = 0; pass < 4; pass++)
        {
            using MemoryScope scope = MemoryScope.Begin();
            Tensor[] batch = Batch((ulong)pass);
            Generator.Current = plainRandom;
            float expected;
            using (Tape tape = Tape.Begin())
            {
                Tensor value = Loss(plain, [.. batch.Select(tensor => Ops.To(tensor, plain.Device))]);
                tape.Backward(value);
                expected = value.Item<float>();
            }
            Generator.Current = random;
            Tensor loss = graph.Run(there => Loss(captured, there), default, batch);
            Assert.Equal(expected, loss.Item<float>());
            Assert.Equal(plainRandom.Next, random.Next);
            AssertSameState(plain, captured, gradients);
            plain.ClearGradients();
        }
    }

    [Fact]
    public void A_repeated_pass_is_one_graph_and_waits_for_nothing()
    {
        LavtModel model = Model(Flags);
        using CapturedGradients graph = new(model.Device, model.State().Select(entry => entry.Value), () => { });
        Generator.Current = new RandomSource(5);
        using MemoryScope scope = MemoryScope.Begin();
        Tensor[] batch = Batch(1);
        List<float> losses = [];
        DriverCalls start = default;
        for (int pass = 0; pass < 4; pass++)
        {
            start = DriverCalls.OfThisThread;
            Tensor loss = graph.Run(there => Loss(model, there), default, batch);
            DriverCalls calls = DriverCalls.OfThisThread - start;
            if (pass < 2) Assert.True(calls.Launches > 500);
            else Assert.Equal(new DriverCalls(Launches: 0, Graphs: 1, Allocations: 0, Waits: 0), calls);
            losses.Add(loss.Item<float>());
        }
        // The same batch, but other numbers are dropped.
        Assert.Equal(losses.Count, losses.Distinct().Count());
    }

    [Fact]
    public void The_backward_pass_begins_with_a_gradient_that_lies_on_the_GPU()
    {
        LavtModel plain = Model(Flags), scaled = Model(Flags);
        using MemoryScope scope = MemoryScope.Begin();
        Tensor scale = Gpu.From([1f], []);
        KeptGradients gradients = new(plain), others = new(scaled);
        using CapturedGradients one = new(plain.Device, plain.State().Select(entry => entry.Value), gradients.Keep);
        using CapturedGradients many = new(scaled.Device, scaled.State().Select(entry => entry.Value), others.Keep, _ => Ops.Add(scale, scale));
        Generator.Current = new RandomSource(5);
        for (int pass = 0; pass < 4; pass++)
        {
            // Powers of two change no digit.
            scale.CopyFrom(Tensor.From([(float)(4 << pass)], []));
            ulong next = Generator.Current.Next;
            one.Run(there => Loss(plain, there), default, Batch(1));
            Generator.Current.Next = next;
            many.Run(there => Loss(scaled, there), default, Batch(1));
            Tensor gradient = gradients.Of[plain.Parameters().First().Value], other = others.Of[scaled.Parameters().First().Value];
            Assert.Equal(gradient.ToArray<float>().Select(value => value * (8 << pass)), other.ToArray<float>());
        }
    }

    [Fact]
    public void Other_random_numbers_need_another_graph()
    {
        LavtModel model = Model(Flags);
        using CapturedGradients graph = new(model.Device, model.State().Select(entry => entry.Value), () => { });
        using MemoryScope scope = MemoryScope.Begin();
        Generator.Current = new RandomSource(5);
        graph.Run(there => Loss(model, there), default, Batch(1));
        Generator.Current = new RandomSource(6);
        Assert.Contains("seed 6", Assert.Throws<InvalidOperationException>(() => graph.Run(there => Loss(model, there), default, Batch(1))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(1, true)]
    [InlineData(3, true)]
    public void Parts_of_steps_are_graphs_and_have_the_bits_of_those_launched_kernel_by_kernel(int parts, bool scales)
    {
        const int Overflowing = 3;
        int steps = parts == 1 ? 5 : 4;
        LavtModel plain = Model(Flags), captured = Model(Flags);
        AdamW expected = Optimizer(plain), actual = Optimizer(captured);
        LossScaler? plainScaler = scales ? new LossScaler(plain.Device) : null, scaler = scales ? new LossScaler(captured.Device) : null;
        DataParallel asTheyAre = new(CollectiveQueue.Single, expected, scaler: plainScaler);
        using CapturedStep graph = new(captured.Device, captured.State().Select(entry => entry.Value), actual, scaler);
        for (int step = 0; step < steps; step++)
        {
            using MemoryScope scope = MemoryScope.Begin();
            // A factor of the loss: with infinity gradients are not finite, which only a scaler looks at.
            Tensor[] BatchOf(int part) => [.. Batch((ulong)(step * parts + part)), Tensor.From([scales && step == Overflowing && part == parts - 1 ? float.PositiveInfinity : 1f], [])];
            double WeightOf(int part) => 10 + part;
            expected.LearningRate = actual.LearningRate = 1e-3 / (step + 1);
            Generator.Current = new RandomSource(5, 1000 * (ulong)step);
            StepLoss plainLoss = asTheyAre.AddGradients(parts, 2, part => new WeightedLoss(FactoredLoss(plain, [.. BatchOf(part).Select(tensor => Ops.To(tensor, plain.Device))]), WeightOf(part)));
            asTheyAre.Step();

            Generator.Current = new RandomSource(5, 1000 * (ulong)step);
            DriverCalls start = DriverCalls.OfThisThread;
            StepLoss loss = graph.Run(parts, 2, part => (BatchOf(part), WeightOf(part)), there => FactoredLoss(captured, there));
            DriverCalls calls = DriverCalls.OfThisThread - start;
            // The launch brings the learning rate; from the third part on the host waits for the pinned memory of the last but one.
            if (step >= 2) Assert.Equal(new DriverCalls(Launches: 1, Graphs: parts, Allocations: 0, Waits: Math.Min(calls.Waits, Math.Max(0, parts - 2))), calls);
            Assert.Equal(plainLoss.Read(), loss.Read());
            AssertSameMoments(expected, actual, step + (scales && step >= Overflowing ? 0 : 1));
            Assert.Equal(plainScaler?.Read(), scaler?.Read());
        }
        if (scales) Assert.Equal(LossScaler.InitialScale / 2, scaler!.Read().Scale);
    }

    private static AdamW Optimizer(LavtModel model) =>
        new([new ParameterGroup("all", [.. model.Parameters().Select(parameter => (parameter.Name, parameter.Value))], 0.01)], 0, amsgrad: true);

    private static Tensor FactoredLoss(LavtModel model, Tensor[] batch) => Ops.Multiply(Loss(model, batch), batch[4]);

    private static void AssertSameMoments(AdamW expected, AdamW actual, long steps)
    {
        int changed = 0;
        foreach (((string name, Tensor one), (_, Tensor other)) in expected.Parameters.Zip(actual.Parameters))
        {
            Assert.Null(other.Gradient());
            AdamW.Moments? moments = expected.MomentsOf(one), others = actual.MomentsOf(other);
            Assert.Equal(moments is null, others is null);
            if (moments is null || others is null) continue;
            changed++;
            Assert.Equal((steps, steps), (moments.Step, others.Step));
            foreach ((Tensor left, Tensor right) in new[] { (one, other), (moments.First, others.First), (moments.Second, others.Second), (moments.LargestSecond!, others.LargestSecond!) })
                Assert.True(left.ToArray<float>().SequenceEqual(right.ToArray<float>()), name);
        }
        Assert.InRange(changed, 100, int.MaxValue);
    }

    private static Tensor Loss(LavtModel model, Tensor[] batch)
    {
        Tensor logits = model.Forward(batch[0], model.TextEncoder.Forward(batch[1], batch[2]), batch[2]);
        return SegmentationLoss.Compute(s_training, logits, batch[3]);
    }

    private static void AssertSameState(LavtModel expected, LavtModel actual, KeptGradients kept)
    {
        int gradients = 0;
        foreach ((string name, Tensor one, Tensor other) in expected.State().Zip(actual.State(), (a, b) => (a.Name, a.Value, b.Value)))
        {
            Assert.Null(other.Gradient());
            Assert.Equal(one.Gradient() is null, !kept.Of.ContainsKey(other));
            if (one.Gradient() is { } gradient)
            {
                Assert.True(gradient.ToArray<float>().SequenceEqual(kept.Of[other].ToArray<float>()), $"gradient of {name}");
                gradients++;
            }
            else if (one.DType == DType.I64)
            {
                Assert.Equal(one.ToArray<long>(), other.ToArray<long>());
            }
            else
            {
                Assert.True(one.ToArray<float>().SequenceEqual(other.ToArray<float>()), name);
            }
        }
        Assert.InRange(gradients, 100, int.MaxValue);
    }

    private static LavtModel Model(string flags)
    {
        LavtModel model = new(ModelOptions.Parse(flags), new RandomSource(7));
        model.SetMode(training: true);
        model.MoveTo(Gpu.Device.Device);
        return model;
    }

    private static Tensor[] Batch(ulong seed)
    {
        RandomSource random = new(seed);
        Tensor frames = Tensor.Empty([2, 3, 24, 28]), ids = Tensor.Zeros([2, 5], DType.I64), mask = Tensor.Zeros([2, 5]), target = Tensor.Zeros([2, 24, 28], DType.U8);
        random.FillUniform(frames.Span<float>(), -1, 1);
        for (int i = 0; i < 10; i++) ids.Span<long>()[i] = 1 + (long)(((ulong)i * 7 + seed * 5) % 29);
        mask.Span<float>()[..8].Fill(1);
        target.Span<byte>().Slice(100, 300).Fill(1);
        return [frames, ids, mask, target];
    }

    /// <summary>Copies the gradients of a model, inside the graph, to where they stay.</summary>
    private sealed class KeptGradients(LavtModel model)
    {
        public Dictionary<Tensor, Tensor> Of { get; } = [];

        public void Keep()
        {
            foreach ((_, Tensor parameter) in model.Parameters())
            {
                if (parameter.Gradient() is not { } gradient) continue;
                if (!Of.TryGetValue(parameter, out Tensor? kept)) Of[parameter] = kept = gradient.EmptyLike(gradient.Shape).Persist();
                kept.CopyFrom(gradient);
            }
        }
    }
}
