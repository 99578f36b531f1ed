using System.Diagnostics;
using Lavt.Autograd;
using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Kernels;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Losses;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Training;

namespace Lavt.Evaluation;

/// <summary>
/// Measures how long a model takes, with random weights and pictures or clips. Inputs and logits lie where the model computes; on a
/// GPU a step ends when it has been done there.
/// </summary>
public sealed class ModelBenchmark
{
    private readonly LavtOptions _options;
    private readonly LavtModel _model;
    private Tensor _frames;
    private Tensor? _language;
    private Tensor _ids;
    private Tensor _mask;
    private Tensor _target;
    private Action? _trainingStep;
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
        if (!_isWarm)
        {
            // Once: it gives unused memory back to the system, which the next pass would have to ask for again.
            _options.Machine.PrepareForInference(_model);
            BringInputs();
        }
        using ModelSession session = new(_model);
        // On a GPU the first pass loads kernels, the second captures graphs.
        for (int pass = 0; pass < 2 && _model.Device.IsCuda; pass++) RunOnce(() => Pass(session));
        return Time(seconds, least, () => Pass(session));
    }

    /// <summary>Times of training steps (forward, backward, optimizer); one more runs before them and does not count.</summary>
    /// <inheritdoc cref="Forward"/>
    public List<double> TrainingStep(double seconds, int least) => Time(seconds, least, _trainingStep ??= MakeTrainingStep());

    private Action MakeTrainingStep()
    {
        TrainingOptions training = _options.Training;
        _options.Machine.ForTraining(training.MixedPrecision).PrepareForTraining(_model);
        BringInputs();
        AdamW optimizer = new(ParameterGroups.Of(_model, training.TrainedLanguage, training.WeightDecay), training.LearningRate, amsgrad: training.AmsGrad);
        ParameterGroups.Freeze(_model, optimizer);
        _model.SetMode(training: true);
        CapturedStep? graph = _model.Device.IsCuda ? new CapturedStep(_model.Device, _model.State().Select(entry => entry.Value), optimizer) : null;
        void Step()
        {
            Tensor[] batch = [_frames, _language ?? _ids, _mask, _target];
            if (graph is not null)
            {
                // Waits for the GPU.
                graph.Run(parts: 1, batch[0].Shape[0], _ => (batch, 1), LossOf).Read();
                return;
            }
            Differentiate(batch);
            optimizer.Step();
            _model.ClearGradients();
        }
        // On a GPU the first step loads kernels, the second captures the graph.
        for (int pass = 0; pass < 2 && graph is not null; pass++) RunOnce(Step);
        return Step;
    }

    private void Differentiate(Tensor[] batch)
    {
        using Tape tape = Tape.Begin();
        tape.Backward(LossOf(batch));
    }

    private Tensor LossOf(Tensor[] batch)
    {
        Tensor language = _language is null ? _model.TextEncoder.Forward(batch[1], batch[2]) : batch[1];
        return SegmentationLoss.Compute(_options.Training, _model.Forward(batch[0], language, batch[2]), batch[3]);
    }

    private void Pass(ModelSession session)
    {
        Tensor language = _language ?? session.Words(_ids, _mask);
        session.Logits(session.Prefix(_frames), _frames.Shape[-2], _frames.Shape[-1], language, _mask);
        if (_model.Device.IsCuda) CudaStream.Of(_model.Device).Synchronize();
    }

    private void BringInputs()
    {
        if (!_model.Device.IsCuda) return;
        (_frames, _ids, _mask, _target) = (There(_frames), There(_ids), There(_mask), There(_target));
        if (_language is not null) _language = There(_language);
    }

    private Tensor There(Tensor input) => Ops.To(input, _model.Device).Persist();

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
