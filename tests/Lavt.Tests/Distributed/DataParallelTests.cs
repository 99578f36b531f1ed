using Lavt.Autograd;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Tensors;
using Xunit;

namespace Lavt.Tests.Distributed;

/// <summary>Several devices give what one gives with the whole batch.</summary>
public sealed class DataParallelTests
{
    /// <summary>Of weights, moments, buffers and losses after five steps, relative to the largest number of each tensor.</summary>
    internal const double Bar = 2e-6;

    /// <summary>What float32 makes of weights and moments: AdamW turns small gradients with their rounding into full steps.</summary>
    private const double Float32Bar = 1e-3;

    /// <summary>And of running statistics, which see these weights.</summary>
    private const double Float32BufferBar = 1e-5;

    /// <summary>
    /// Ends of the names of parameters whose gradients are 0 but for rounding: softmax does not see what is added to all scores of a query
    /// (the biases of keys), instance norm takes away what is added to all positions (the others), and the last norm of the text encoder
    /// ends in keys and values alone.
    /// </summary>
    private static readonly string[] s_withoutGradient =
        [".self.key.bias", ".f_key.0.bias", ".f_query.0.bias", ".f_value.0.bias", ".W.0.bias", "text_encoder.encoder.layer.0.output.LayerNorm.bias"];

    /// <summary>Gradients this much smaller than the largest are 0 but for rounding, such as those of biases that a norm takes away again.</summary>
    private const double Rounding = 1e-6;

    [Theory]
    [InlineData(2, LossKind.CrossEntropy, false)]
    [InlineData(4, LossKind.CrossEntropy, true)]
    [InlineData(2, LossKind.DiceFocal, true)]
    [InlineData(2, LossKind.DiceBoundary, false)]
    public void Devices_equal_one_device_with_the_whole_batch(int devices, LossKind loss, bool shard)
    {
        var one = new ReplicaRun { Samples = 4, Loss = loss };
        Compare(one.Run(), (one with { Devices = devices, Samples = 4 / devices, ShardOptimizer = shard }).Run(), Bar);
    }

    [Fact]
    public void Checkpointed_blocks_change_nothing()
    {
        var one = new ReplicaRun { Samples = 4, Steps = 2 };
        Compare(one.Run(), (one with { Devices = 2, Samples = 2, Flags = "--use_checkpoint" }).Run(), Bar);
    }

    [Fact]
    public void Float32_equals_it_within_its_rounding_and_its_bits_are_the_same_in_every_run()
    {
        var one = new ReplicaRun { Samples = 4, Type = DType.F32 };
        ReplicaRun two = one with { Devices = 2, Samples = 2 };
        (double[] Losses, Dictionary<string, double[]> State) first = two.Run(), second = two.Run(), sharded = (two with { ShardOptimizer = true, BucketBytes = 1 << 20 }).Run();
        Compare(one.Run(), first, Bar, Float32Bar);
        Compare(first, second, 0);
        Compare(first, sharded, 0);
    }

    [Theory]
    [InlineData(2)]
    [InlineData(4)]
    public void Float32_is_as_near_to_one_device_as_that_is_to_exact_arithmetic(int devices)
    {
        ReplicaRun one = ReplicaRun.Rounded;
        CompareRounded((one with { Type = DType.F64 }).Run(), one.Run(), (one with { Devices = devices, Samples = 4 / devices }).Run());
    }

    [Fact]
    public void Parts_that_are_computed_one_after_the_other_equal_the_whole_batch_where_no_statistics_are_shared()
    {
        // Samples of different weights, which meet in the loss alone.
        Tensor weight = Tensor.From(new double[] { 0.3, -0.7, 1.1, 0.2 }, [2, 2]).Persist().RequireGradient();
        double[] Gradient(int devices, int parts, int samples)
        {
            double[] found = [];
            void Work(CollectiveQueue queue)
            {
                Tensor own = queue.Size == 1 ? weight : weight.Copy().Persist().RequireGradient();
                var optimizer = new Lavt.Nn.AdamW([new("all", [("weight", own)], 0)], 0);
                var parallel = new DataParallel(queue, optimizer);
                Generator.Current = new RandomSource(5);
                StepLoss pending = parallel.AddGradients(parts, samples, part =>
                {
                    int first = (part * queue.Size + queue.Rank) * samples;
                    Tensor x = Tensor.Empty([samples, 2], DType.F64);
                    for (int i = 0; i < 2 * samples; i++) x.Span<double>()[i] = Math.Sin(2 * first + i);
                    Tensor y = Ops.DropPath(Ops.Dropout(Ops.MatMul(x, own), 0.3), 0.2);
                    double weights = 0;
                    for (int i = 0; i < samples; i++) weights += 1 + first + i;
                    Tensor factors = Tensor.Empty([samples, 1], DType.F64);
                    for (int i = 0; i < samples; i++) factors.Span<double>()[i] = (1 + first + i) / weights;
                    return new WeightedLoss(Ops.Sum(Ops.Multiply(Ops.Multiply(y, y), factors)), weights);
                });
                // The first moment of the first step is a tenth of the gradient.
                parallel.Step();
                double loss = pending.Read();
                if (queue.Rank == 0) found = [loss, .. optimizer.MomentsOf(own)!.First.ToArray<double>()];
            }

            if (devices == 1) Work(new CollectiveQueue());
            else DeviceThreads.Run(devices, devices, Work);
            return found;
        }

        double[] whole = Gradient(1, 1, 12);
        Assert.NotEqual(0, whole[1]);
        foreach ((int devices, int parts) in new[] { (1, 2), (1, 3), (2, 1), (2, 3), (3, 2), (4, 1) })
        {
            double[] shared = Gradient(devices, parts, 12 / devices / parts);
            for (int i = 0; i < whole.Length; i++) Assert.Equal(whole[i], shared[i], 1e-12);
        }
    }

    [Fact]
    public void Dropout_depends_on_the_place_of_a_sample_not_on_the_devices()
    {
        Generator.Current = new RandomSource(7);
        foreach (int length in new[] { 1, 3, 4, 10, 64, 1001 })
            foreach (DType type in new[] { DType.F32, DType.F64 })
            {
                Tensor ones = Ops.Full([6, length], 1, type);
                ulong stream = Generator.Current.Next;
                double[] whole = Ops.DropPath(Ops.Dropout(ones, 0.4), 0.3).To(DType.F64).ToArray<double>();
                List<double> pieces = [];
                for (int first = 0; first < 6; first += 2)
                {
                    Generator.Current.Next = stream;
                    BatchShare.Current = new BatchShare(first, 2, null);
                    pieces.AddRange(Ops.DropPath(Ops.Dropout(ones.ViewSlice(0, first, 2).Copy(), 0.4), 0.3).To(DType.F64).ToArray<double>());
                }
                BatchShare.Current = null;
                Assert.Equal(whole, pieces);
            }
    }

    internal static void Compare(
        (double[] Losses, Dictionary<string, double[]> State) expected, (double[] Losses, Dictionary<string, double[]> State) actual, double bar, double? trained = null, double stepOfGradient = 0)
    {
        Near("losses", expected.Losses, actual.Losses, bar, expected.Losses.Max());
        Assert.Equal(expected.State.Keys.Order(), actual.State.Keys.Order());
        double first = Largest(expected, "first "), second = Largest(expected, "second ");
        int compared = 0;
        // In float32 gradients have the rounding of the largest of them, which moves also weights that began at 0.
        double step = stepOfGradient * first;
        foreach ((string name, double[] values) in expected.State)
        {
            double size = name.StartsWith("first ", StringComparison.Ordinal) ? first : name.StartsWith("second ", StringComparison.Ordinal) ? second : values.Max(Math.Abs);
            if (expected.State.ContainsKey("first " + name)) size = Math.Max(size, step);
            bool isBuffer = name.Contains("running_", StringComparison.Ordinal);
            if (expected.State.TryGetValue("first " + name, out double[]? moments) && bar > 0 && moments.Max(Math.Abs) < Rounding * first) continue;
            Near(name, values, actual.State[name], trained is null ? bar : isBuffer ? Float32BufferBar : trained.Value, size);
            compared++;
        }
        Assert.True(compared > 0.9 * expected.State.Count);
    }

    /// <summary>
    /// Compares float32 runs tensor by tensor: the distance of the runs, √Σ(a − b)², is at most 2e-6 of the length of each buffer, and of each
    /// weight and moment 2e-6, or twice what rounding has cost one device itself: its distance from the same run in double. The second bound is
    /// needed because five steps multiply a difference in the last bit of a weight a hundredfold, on one device as on many.
    /// </summary>
    internal static void CompareRounded(
        (double[] Losses, Dictionary<string, double[]> State) exact, (double[] Losses, Dictionary<string, double[]> State) one, (double[] Losses, Dictionary<string, double[]> State) many)
    {
        Near("losses", one.Losses, many.Losses, Bar, one.Losses.Min());
        Assert.Equal(one.State.Keys.Order(), many.State.Keys.Order());
        double firstOfExact = Largest(exact, "first "), firstOfMany = Largest(many, "first ");
        int weights = 0, within = 0;
        foreach ((string name, double[] values) in one.State)
        {
            double error = Distance(values, many.State[name]), least = Bar * Distance(values, new double[values.Length]);
            if (one.State.ContainsKey("first " + name)) (weights, within) = (weights + 1, within + (error <= least ? 1 : 0));
            double rounding = name.Contains("running_", StringComparison.Ordinal) ? 0 : 2 * Distance(values, exact.State[name]);
            if (error <= Math.Max(least, rounding)) continue;
            Assert.True(s_withoutGradient.Any(end => name.EndsWith(end, StringComparison.Ordinal)), $"{name}: error {error:E1}, bounds {least:E1} and {rounding:E1}");
            string moment = "first " + name.Split(' ')[^1];
            Assert.True(exact.State[moment].Max(Math.Abs) < 1e-12 * firstOfExact, $"{moment} is not 0");
            Assert.True(many.State[moment].Max(Math.Abs) < 10 * Rounding * firstOfMany, $"{moment} is more than rounding");
        }
        Assert.True(within > 0.8 * weights, $"{within} of {weights} weights are within {Bar}");
    }

    private static double Distance(double[] a, double[] b) => Math.Sqrt(a.Zip(b, (x, y) => (x - y) * (x - y)).Sum());

    private static double Largest((double[] Losses, Dictionary<string, double[]> State) run, string kind) =>
        run.State.Where(entry => entry.Key.StartsWith(kind, StringComparison.Ordinal)).Max(entry => entry.Value.Max(Math.Abs));

    private static void Near(string name, double[] expected, double[] actual, double bar, double size)
    {
        double error = expected.Zip(actual, (a, b) => Math.Abs(a - b)).Max();
        Assert.True(error <= bar * size, $"{name}: error {error:E1}, bound {bar * size:E1}");
    }
}
