using BenchmarkDotNet.Attributes;
using Lavt.Autograd;
using Lavt.Losses;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Training;

namespace Lavt.Bench;

/// <summary>Sums over CPU devices of one process beside a copy of the same memory, 64 MiB on each device.</summary>
public unsafe class DeviceSumBench
{
    private const int Count = 1 << 24;
    private FloatArray[] _arrays = null!;
    private FloatArray _copy = null!;
    private DeviceCrew _crew = null!;

    [Params(2, 4)]
    public int Devices { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _arrays = [.. Enumerable.Range(0, Devices).Select(_ => new FloatArray(Count))];
        _copy = new(Count);
        _crew = new DeviceCrew(Devices, Devices);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _crew.Dispose();
        foreach (FloatArray array in _arrays.Append(_copy)) array.Dispose();
    }

    [Benchmark(Baseline = true)]
    public void Copy() => Buffer.MemoryCopy((float*)_arrays[0], (float*)_copy, 4L * Count, 4L * Count);

    [Benchmark]
    public void Sum() => _crew.Run(queue =>
    {
        nint address = (nint)(float*)_arrays[queue.Rank];
        queue.Start(member => member.Sum((float*)address, Count)).Wait();
    });
}

/// <summary>
/// A training step of LAVT with Swin-Tiny on pictures of 224 × 224: two samples on one device with two threads, one sample on each
/// of two devices with one thread, and the latter with the sums of the gradients left out, which shows what they cost beside the
/// backward pass.
/// </summary>
public class DeviceStepBench
{
    private const int ImageSize = 224;
    private DeviceCrew _crew = null!;
    private Action<CollectiveQueue>[] _steps = null!;

    public enum Kind
    {
        OneDevice,
        TwoDevices,
        TwoDevicesWithoutSums,
    }

    [ParamsAllValues]
    public Kind Case { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        int devices = Case == Kind.OneDevice ? 1 : 2;
        _crew = new DeviceCrew(devices, 2);
        _steps = new Action<CollectiveQueue>[devices];
        _crew.Run(queue => _steps[queue.Rank] = NewStep(Case == Kind.TwoDevicesWithoutSums ? CollectiveQueue.Single : queue, 2 / devices));
    }

    [GlobalCleanup]
    public void Cleanup() => _crew.Dispose();

    [Benchmark]
    public void Step() => _crew.Run(queue => _steps[queue.Rank](queue));

    private static Action<CollectiveQueue> NewStep(CollectiveQueue devices, int samples)
    {
        LavtOptions options = LavtFlags.Table.Parse("--model lavt --swin_type tiny --window 7", new LavtOptions()).Resolve();
        var model = new LavtModel(options.Model with { Bert = options.Model.Bert with { Layers = 0, VocabularySize = 1 } }, new RandomSource(1));
        var optimizer = new AdamW(ParameterGroups.Of(model, TrainedLanguage.Encoder10, 0.01), 1e-5);
        ParameterGroups.Freeze(model, optimizer);
        var parallel = new DataParallel(devices, optimizer);
        model.SetMode(training: true);
        var random = new RandomSource(2);
        Tensor picture = Tensor.Empty([samples, 3, ImageSize, ImageSize]).Persist(), language = Tensor.Empty([samples, 20, 768]).Persist();
        random.FillUniform(picture.Span<float>(), -2, 2);
        random.FillUniform(language.Span<float>(), -1, 1);
        Tensor mask = Ops.Full([samples, 20], 1).Persist(), target = Tensor.Zeros([samples, ImageSize, ImageSize], DType.U8).Persist();
        target.Span<byte>()[..10_000].Fill(1);
        return _ =>
        {
            parallel.AddGradients(1, samples, _ => new WeightedLoss(
                SegmentationLoss.Compute(options.Training, model.Forward(picture, language, mask), target), SegmentationLoss.Weight(options.Training, target)));
            parallel.Step();
        };
    }
}
