using Lavt.Autograd;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Models;
using Lavt.Options;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Models as CUDA graphs: the bits of the pass as it is, few calls of the driver, no waiting, nothing allocated.</summary>
public class SessionsOnGpuTests
{
    private const int Words = 5;
    private const string Small = " --embed_dim 8 --depths 1-1-1-1 --heads 1-1-2-2 --window 3 --bert_vocabulary 30 --bert_hidden 16 --bert_layers 1 --bert_heads 2 --bert_intermediate 32 --bert_positions 22";
    private const string Pictures = "--model lavt_one" + Small;
    private const string Clips = "--model lavt_video --sep_t_pwam --conv3d_kernel_size_t 3-3-3 --w_t3x3_s1x1 --mm_t3x3_s1x1" + Small;

    [Theory]
    [InlineData(Pictures, new[] { 2, 3, 24, 28 })]
    [InlineData(Clips, new[] { 1, 3, 3, 24, 28 })]
    public void A_captured_model_has_the_bits_of_the_pass_as_it_is_and_follows_its_inputs(string flags, int[] shape)
    {
        LavtModel model = Model(flags);
        using ModelSession session = new(model);
        List<float[]> seen = [];
        for (ulong pass = 0; pass < 4; pass++)
        {
            using MemoryScope scope = MemoryScope.Begin();
            Input input = Input.Of(shape, pass);
            float[] expected = input.RunOn(model), logits = input.RunOn(session);
            Assert.Equal(expected, logits);
            Assert.All(seen, other => Assert.NotEqual(other, logits));
            seen.Add(logits);
        }
    }

    [Fact]
    public void A_repeated_pass_is_three_graphs_and_nothing_else()
    {
        LavtModel model = Model(Pictures);
        using ModelSession session = new(model);
        using MemoryScope scope = MemoryScope.Begin();
        Input input = Input.Of([1, 3, 24, 28], 1);
        DriverCalls start = DriverCalls.OfThisThread;
        Warm(session, input);
        Assert.InRange((DriverCalls.OfThisThread - start).Launches, 200, 2000);
        start = DriverCalls.OfThisThread;
        Tensor logits = input.LogitsOn(session);
        Assert.Equal(new DriverCalls(Launches: 0, Graphs: 3, Allocations: 0, Waits: 0), DriverCalls.OfThisThread - start);
        Assert.All(logits.ToArray<float>(), value => Assert.True(float.IsFinite(value)));
        Assert.Equal(1, (DriverCalls.OfThisThread - start).Waits);
    }

    [Theory]
    [InlineData(Pictures, new[] { 1, 3, 24, 28 })]
    [InlineData(Clips, new[] { 1, 3, 3, 24, 28 })]
    public void A_pass_as_it_is_does_not_wait_for_the_device(string flags, int[] shape)
    {
        LavtModel model = Model(flags);
        using MemoryScope scope = MemoryScope.Begin();
        Input input = Input.Of(shape, 1).On(model.Device);
        input.RunOn(model);
        DriverCalls start = DriverCalls.OfThisThread;
        input.LogitsOn(model);
        Assert.Equal(0, (DriverCalls.OfThisThread - start).Waits);
    }

    [Fact]
    public void Shapes_have_graphs_of_their_own()
    {
        LavtModel model = Model(Pictures);
        using ModelSession session = new(model);
        int[][] shapes = [[1, 3, 24, 28], [2, 3, 24, 28], [1, 3, 24, 25]];
        for (ulong pass = 0; pass < 3; pass++)
            foreach (int[] shape in shapes)
            {
                using MemoryScope scope = MemoryScope.Begin();
                Input input = Input.Of(shape, pass);
                Assert.Equal(input.RunOn(model), input.RunOn(session));
            }
    }

    [Fact]
    public void Changed_weights_are_seen_in_place_and_elsewhere()
    {
        LavtModel model = Model(Pictures), other = Model(Pictures, seed: 8);
        using ModelSession session = new(model);
        using MemoryScope scope = MemoryScope.Begin();
        Input input = Input.Of([1, 3, 24, 28], 1);
        Warm(session, input);
        float[] before = input.RunOn(session);
        foreach ((Tensor to, Tensor from) in model.State().Zip(other.State(), (a, b) => (a.Value, b.Value)))
            to.CopyFrom(from);
        float[] inPlace = input.RunOn(session);
        Assert.NotEqual(before, inPlace);
        Assert.Equal(input.RunOn(other), inPlace);
        model.MoveTo(Device.Cpu);
        model.MoveTo(Gpu.Device.Device);
        for (int pass = 0; pass < 3; pass++) Assert.Equal(inPlace, input.RunOn(session));
    }

    [Fact]
    public void Sentences_about_a_picture_share_its_prefix()
    {
        LavtModel model = Model(Pictures);
        using ModelSession session = new(model);
        for (ulong pass = 0; pass < 3; pass++)
        {
            using MemoryScope scope = MemoryScope.Begin();
            Input picture = Input.Of([1, 3, 24, 28], pass);
            PwamVisuals prefix = session.Prefix(picture.Frames);
            for (ulong sentence = 0; sentence < 3; sentence++)
            {
                Input said = Input.Of([1, 3, 24, 28], 10 + sentence) with { Frames = picture.Frames };
                Tensor logits = session.Logits(prefix, 24, 28, session.Words(said.Ids, said.Mask), said.Mask);
                Assert.Equal(said.RunOn(model), logits.ToArray<float>());
            }
        }
    }

    [Fact]
    public void Sessions_give_their_memory_back()
    {
        LavtModel model = Model(Pictures);
        long before = Gpu.Device.Memory.BytesInUse;
        using (ModelSession session = new(model))
        {
            using MemoryScope scope = MemoryScope.Begin();
            Warm(session, Input.Of([1, 3, 24, 28], 1));
        }
        Assert.Equal(before, Gpu.Device.Memory.BytesInUse);
    }

    private static void Warm(ModelSession session, Input input)
    {
        for (int pass = 0; pass < 2; pass++)
        {
            using MemoryScope scope = MemoryScope.Begin();
            input.RunOn(session);
        }
    }

    private static LavtModel Model(string flags, ulong seed = 7)
    {
        LavtModel model = new(ModelOptions.Parse(flags), new RandomSource(seed));
        model.SetMode(training: false);
        model.MoveTo(Gpu.Device.Device);
        return model;
    }

    /// <summary>Frames and a sentence.</summary>
    private sealed record Input(Tensor Frames, Tensor Ids, Tensor Mask)
    {
        public static Input Of(int[] shape, ulong seed)
        {
            RandomSource random = new(seed);
            int sentences = shape[0];
            Tensor frames = Tensor.Empty(new Shape(shape)), ids = Tensor.Zeros([sentences, Words], DType.I64), mask = Tensor.Zeros([sentences, Words]);
            random.FillUniform(frames.Span<float>(), -1, 1);
            for (int i = 0; i < ids.Count; i++) ids.Span<long>()[i] = 1 + (long)(((ulong)i * 7 + seed * 5) % 29);
            for (int i = 0; i < sentences; i++) mask.Span<float>().Slice(i * Words, Words - (int)(seed % 3)).Fill(1);
            return new Input(frames, ids, mask);
        }

        public Input On(Device device) => new(Ops.To(Frames, device), Ops.To(Ids, device), Ops.To(Mask, device));

        public Tensor LogitsOn(LavtModel model) => model.Forward(Frames, model.TextEncoder.Forward(Ids, Mask), Mask);

        public Tensor LogitsOn(ModelSession session) =>
            session.Logits(session.Prefix(Frames), Frames.Shape[-2], Frames.Shape[-1], session.Words(Ids, Mask), Mask);

        public float[] RunOn(LavtModel model) => LogitsOn(model).ToArray<float>();

        public float[] RunOn(ModelSession session) => LogitsOn(session).ToArray<float>();
    }
}
