using System.Runtime.InteropServices;
using Lavt.Autograd;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Losses;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Tests.Training;
using Lavt.Training;

namespace Lavt.Tests.Distributed;

/// <summary>A few training steps of a tiny model on made-up pictures, on any number of devices.</summary>
internal sealed record ReplicaRun
{
    private const int ImageSize = 32;
    private const int Words = 6;

    /// <summary>Four samples in float32 on one device; steps in proportion to gradients, for AdamW would turn the rounding of small ones into full steps.</summary>
    public static ReplicaRun Rounded => new() { Type = DType.F32, Epsilon = 0.1, LearningRate = 0.05 };

    /// <summary>Among the state: how often the host waited for a GPU from the beginning of a step to its end, the loss left aside.</summary>
    public const string Waits = "waits";

    public int Devices { get; init; } = 1;

    /// <summary>The number of each device's GPU; none for CPUs.</summary>
    public int[] Gpus { get; init; } = [];

    /// <summary>Samples of a part on one device.</summary>
    public int Samples { get; init; } = 4;

    public int Parts { get; init; } = 1;

    public int Steps { get; init; } = 5;

    public DType Type { get; init; } = DType.F64;

    public LossKind Loss { get; init; }

    public bool ShardOptimizer { get; init; }

    /// <summary>Small buckets, so that there are many.</summary>
    public long BucketBytes { get; init; } = 4096;

    public string Flags { get; init; } = "";

    /// <summary>AdamW's; a large one makes steps proportional to gradients, so that their rounding stays as small as it is.</summary>
    public double Epsilon { get; init; } = 1e-8;

    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Losses of the steps, and all numbers of device 0's model and optimizer afterwards; the other devices' must be the same bits.</summary>
    public (double[] Losses, Dictionary<string, double[]> State) Run()
    {
        var found = new (double[] Losses, Dictionary<string, double[]> State)[Devices];
        if (Devices == 1) found[0] = RunOne(new CollectiveQueue());
        else DeviceThreads.Run(Devices, Devices, devices => found[devices.Rank] = RunOne(devices), Gpus.Length == 0 ? null : [.. Gpus.Select(CudaDevice.Open)]);
        foreach ((double[] losses, Dictionary<string, double[]> state) in found.Skip(1))
        {
            Xunit.Assert.Equal(found[0].Losses, losses);
            foreach ((string name, double[] values) in found[0].State)
                if (state.TryGetValue(name, out double[]? other)) Xunit.Assert.True(Bits(values).SequenceEqual(Bits(other)), name);
        }
        return found[0];
    }

    private static ReadOnlySpan<byte> Bits(double[] values) => MemoryMarshal.AsBytes(values.AsSpan());

    /// <summary>The part of one device; moments on device 0 alone.</summary>
    public (double[] Losses, Dictionary<string, double[]> State) RunOne(CollectiveQueue devices)
    {
        LavtOptions options = LavtFlags.Table.Parse($"{SmallRun.Model} {Flags}", new LavtOptions());
        options = (options with { Given = ["--embed_dim"], Training = options.Training with { Loss = Loss } }).Resolve();
        Module.BuildsInDouble = Type == DType.F64;
        // Devices begin with weights of their own, and get those of device 0.
        var model = new LavtModel(options.Model, new RandomSource(3 + (ulong)devices.Rank));
        Module.BuildsInDouble = false;
        if (Type == DType.F64) TakeWeights(model, new LavtModel(options.Model, new RandomSource(3 + (ulong)devices.Rank)));
        Device device = Gpus.Length == 0 ? Device.Cpu : new Device(DeviceKind.Cuda, Gpus[devices.Rank]);
        model.MoveTo(device);
        var optimizer = new AdamW(ParameterGroups.Of(model, TrainedLanguage.EmbeddingsEncoderAll, 0.01), LearningRate, eps: Epsilon);
        ParameterGroups.Freeze(model, optimizer);
        DataParallel.ShareState(devices, model);
        var parallel = new DataParallel(devices, optimizer, ShardOptimizer, BucketBytes);
        Generator.Current = new RandomSource(11);
        model.SetMode(training: true);
        var losses = new double[Steps];
        double waits = 0;
        for (int step = 0; step < Steps; step++)
        {
            int first = step * Devices * Samples * Parts;
            Batch[] parts = [.. Enumerable.Range(0, Parts).Select(part => BatchOf(device, first + (part * Devices + devices.Rank) * Samples))];
            DriverCalls start = DriverCalls.OfThisThread;
            StepLoss loss = parallel.AddGradients(Parts, Samples, part => LossOf(model, options, parts[part]));
            parallel.Step();
            waits += (DriverCalls.OfThisThread - start).Waits;
            losses[step] = loss.Read();
        }
        Dictionary<string, double[]> state = new() { [Waits] = [waits] };
        parallel.Save(() => AddMoments(optimizer, state));
        foreach (StateEntry entry in model.State()) state[entry.Name] = Numbers(entry.Value);
        BatchShare.Current = null;
        return (losses, state);
    }

    /// <summary>Runs in double begin with the weights of runs in float32.</summary>
    private static void TakeWeights(Module model, Module rounded)
    {
        foreach ((StateEntry own, StateEntry other) in model.State().Zip(rounded.State())) own.Value.CopyFrom(other.Value.To(own.Value.DType));
    }

    private static double[] Numbers(Tensor tensor) => Ops.To(tensor.Detach(), Device.Cpu).To(DType.F64).ToArray<double>();

    private static void AddMoments(AdamW optimizer, Dictionary<string, double[]> state)
    {
        foreach ((string name, Tensor parameter) in optimizer.Parameters)
            if (optimizer.MomentsOf(parameter) is { } moments)
            {
                state["first " + name] = Numbers(moments.First);
                state["second " + name] = Numbers(moments.Second);
                state["steps " + name] = [moments.Step];
            }
    }

    private Batch BatchOf(Device device, int first)
    {
        Tensor picture = Tensor.Empty([Samples, 3, ImageSize, ImageSize]), mask = Tensor.Zeros([Samples, Words]);
        Tensor ids = Tensor.Zeros([Samples, Words], DType.I64), target = Tensor.Zeros([Samples, ImageSize, ImageSize], DType.U8);
        for (int i = 0; i < Samples; i++)
        {
            var random = new RandomSource(99, (ulong)(first + i));
            int size = 3 * ImageSize * ImageSize, words = 2 + (first + i) % (Words - 2);
            random.FillUniform(picture.Span<float>().Slice(i * size, size), -2, 2);
            mask.Span<float>().Slice(i * Words, words).Fill(1);
            for (int word = 0; word < words; word++) ids.Span<long>()[i * Words + word] = 5 + (7 * (first + i) + word) % 100;
            // Objects of very different sizes: the devices' shares of the class weights differ.
            target.Span<byte>().Slice(i * ImageSize * ImageSize, 40 + (first + i) * 37 % 900).Fill(1);
        }
        // The weight while the masks are on the host, so that nothing waits for a GPU.
        double weight = SegmentationLoss.Weight(new TrainingOptions { Loss = Loss }, target);
        return new Batch(Ops.To(picture.To(Type), device), Ops.To(ids, device), Ops.To(mask.To(Type), device), Ops.To(target, device), weight);
    }

    private static WeightedLoss LossOf(LavtModel model, LavtOptions options, Batch batch)
    {
        Tensor language = model.TextEncoder.Forward(batch.Ids, batch.Mask);
        return new WeightedLoss(SegmentationLoss.Compute(options.Training, model.Forward(batch.Picture, language, batch.Mask), batch.Target), batch.Weight);
    }

    private sealed record Batch(Tensor Picture, Tensor Ids, Tensor Mask, Tensor Target, double Weight);
}
