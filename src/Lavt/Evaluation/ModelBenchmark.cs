using System.Diagnostics;
using Lavt.Autograd;
using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Kernels;
using Lavt.Losses;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Training;

namespace Lavt.Evaluation;

/// <summary>Measures how long a model takes, with random weights and pictures or clips.</summary>
public sealed class ModelBenchmark
{
    private readonly LavtOptions _options;
    private readonly LavtModel _model;
    private readonly Tensor _frames;
    private readonly Tensor? _language;
    private readonly Tensor _ids;
    private readonly Tensor _mask;
    private readonly Tensor _target;
    private bool _isWarm;

    /// <summary>Makes model and inputs.</summary>
    /// <param name="options">The model, the size of pictures, and the frames of clips.</param>
    /// <param name="batch">How many pictures or clips go through the model together.</param>
    public ModelBenchmark(LavtOptions options, int batch)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        var random = new RandomSource((ulong)options.Training.Seed);
        // With --model lavt the text encoder stands beside the model, and is not measured.
        bool isWhole = options.Model.Model != ModelKind.Lavt, isOfClips = options.Model.Model == ModelKind.LavtVideo;
        _model = new LavtModel(isWhole ? options.Model : options.Model with { Bert = options.Model.Bert with { Layers = 0, VocabularySize = 1 } }, random);
        int size = options.Data.ImageSize, frames = isOfClips ? options.Data.Frames : 1;
        int tokens = isOfClips ? ClipShape.MaxTokens : ReferDatasets.MaxTokens;
        _frames = Tensor.Empty(isOfClips ? [batch, frames, 3, size, size] : [batch, 3, size, size]).Persist();
        random.FillUniform(_frames.Span<float>(), -2, 2);
        if (!isWhole)
        {
            _language = Tensor.Empty([batch, tokens, options.Model.Bert.HiddenSize]).Persist();
            random.FillUniform(_language.Span<float>(), -1, 1);
        }
        _ids = Tensor.Zeros([batch, tokens], DType.I64).Persist();
        _mask = Tensor.Zeros([batch, tokens]).Persist();
        _mask.Span<float>().Fill(1);
        _target = Tensor.Zeros([batch * frames, size, size], DType.U8).Persist();
        _target.Span<byte>()[..(size * size / 2)].Fill(1);
    }

    /// <summary>Whether kernels are measured, too; each call then costs a fraction of a microsecond more.</summary>
    public bool Profiles { get; init; }

    /// <summary>The kernels of the steps that were measured last; null without <see cref="Profiles"/>.</summary>
    public IReadOnlyList<KernelTime>? Kernels { get; private set; }

    /// <summary>Times of forward passes in evaluation mode; one more runs before them and does not count.</summary>
    /// <param name="seconds">Passes are made until so much time is over,</param>
    /// <param name="least">and at least so many.</param>
    public List<double> Forward(double seconds, int least)
    {
        // Once: it gives unused memory back to the system, which the next pass would have to ask for again.
        if (!_isWarm) _options.Machine.PrepareForInference(_model);
        using ModelSession session = new(_model);
        // On a GPU the first pass of a session loads kernels, the second captures graphs.
        for (int pass = 0; pass < 2 && _model.Device.IsCuda; pass++) RunOnce(() => Pass(session));
        return Time(seconds, least, () => Pass(session));
    }

    /// <summary>Times of training steps (forward, backward, optimizer); one more runs before them and does not count.</summary>
    /// <inheritdoc cref="Forward"/>
    public List<double> TrainingStep(double seconds, int least)
    {
        TrainingOptions training = _options.Training;
        _options.Machine.ForTraining(training.MixedPrecision).PrepareForTraining(_model);
        Tensor target = Ops.To(_target, _model.Device);
        AdamW optimizer = new(ParameterGroups.Of(_model, training.TrainedLanguage, training.WeightDecay), training.LearningRate, amsgrad: training.AmsGrad);
        ParameterGroups.Freeze(_model, optimizer);
        _model.SetMode(training: true);
        return Time(seconds, least, () =>
        {
            using Tape tape = Tape.Begin();
            Tensor logits = _model.Forward(_frames, Language(), _mask);
            Tensor loss = SegmentationLoss.Compute(training, logits, target);
            tape.Backward(loss);
            optimizer.Step();
            _model.ClearGradients();
            _model.TextEncoder.ClearGradients();
            // Waits for a GPU.
            _ = loss.Item<float>();
        });
    }

    private Tensor Pass(ModelSession session)
    {
        Tensor language = _language ?? session.Words(_ids, _mask);
        return Ops.To(session.Logits(session.Prefix(_frames), _frames.Shape[-2], _frames.Shape[-1], language, _mask), Device.Cpu);
    }

    private Tensor Language() => _language ?? _model.TextEncoder.Forward(_ids, _mask);

    private List<double> Time(double seconds, int least, Action work)
    {
        if (!_isWarm) RunOnce(work);
        _isWarm = true;
        List<double> times = [];
        using KernelProfile? profile = Profiles ? KernelProfile.Begin() : null;
        long started = Stopwatch.GetTimestamp();
        while (times.Count < least || Stopwatch.GetElapsedTime(started).TotalSeconds < seconds) times.Add(RunOnce(work));
        Kernels = profile?.Times;
        return times;
    }

    private static double RunOnce(Action work)
    {
        long started = Stopwatch.GetTimestamp();
        using (MemoryScope scope = MemoryScope.Begin())
            work();
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
