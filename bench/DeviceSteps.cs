using Lavt.Autograd;
using Lavt.Losses;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Training;

namespace Lavt.Bench;

/// <summary>
/// Training steps of LAVT with Swin-Tiny on two pictures of 224 × 224, computed by two threads: those of one device, or one of each of two
/// devices; and the sums of a step's gradients alone.
/// </summary>
internal sealed class DeviceSteps : IDisposable
{
    private const int ImageSize = 224, Pictures = 2, Threads = 2;

    private readonly int _devices;
    private readonly DeviceCrew _crew;
    private readonly LocalGroup _group;
    private readonly CollectiveQueue[] _links;
    private readonly DeviceLink?[] _ends;
    private readonly Action[] _steps;
    private readonly FloatArray[] _numbers;
    private readonly long[] _sums;

    public DeviceSteps(int devices)
    {
        _devices = devices;
        _crew = new DeviceCrew(devices, Threads);
        _group = new LocalGroup(devices);
        _ends = new DeviceLink[devices];
        _links = devices == 1 ? [CollectiveQueue.Single] : DeviceLink.Connect(_crew, _group, Mode, link => _ends[link.Rank] = link);
        _steps = new Action[devices];
        _crew.Run(queue => _steps[queue.Rank] = NewStep(_links[queue.Rank], Pictures / devices));
        Step();
        _sums = [.. _ends[0]?.Sums ?? []];
        _numbers = [.. _ends.Select(_ => new FloatArray(_sums.Sum()))];
    }

    public LinkMode Mode { get; } = new();

    /// <summary>The numbers of all gradients.</summary>
    public long Gradients => _sums.Sum();

    public void Step() => _crew.Run(queue => _steps[queue.Rank]());

    /// <summary>The sums of a step's gradients with nothing beside them, in the pieces in which a step makes them.</summary>
    public unsafe void Sums() => _crew.Run(queue =>
    {
        var started = new List<CollectiveQueue.Operation>();
        nint next = (nint)(float*)_numbers[queue.Rank];
        foreach (long count in _sums)
        {
            nint address = next;
            started.Add(_links[queue.Rank].Start(member => member.Sum((float*)address, count)));
            next += (nint)(count * sizeof(float));
        }
        foreach (CollectiveQueue.Operation operation in started) operation.Wait();
    });

    public void Dispose()
    {
        if (_devices > 1) _crew.Run(queue => _links[queue.Rank].Dispose());
        _crew.Dispose();
        _group.Dispose();
        foreach (FloatArray numbers in _numbers) numbers.Dispose();
    }

    private static Action NewStep(CollectiveQueue devices, int samples)
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
        return () =>
        {
            parallel.AddGradients(1, samples, _ => new WeightedLoss(
                SegmentationLoss.Compute(options.Training, model.Forward(picture, language, mask), target), SegmentationLoss.Weight(options.Training, target)));
            parallel.Step();
        };
    }
}
