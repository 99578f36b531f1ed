using System.Diagnostics;
using Lavt.Autograd;
using Lavt.Data;
using Lavt.Losses;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Training;

namespace Lavt.Evaluation;

/// <summary>Measures how long a model takes, with random weights and pictures.</summary>
public sealed class ModelBenchmark
{
    private readonly LavtOptions _options;
    private readonly LavtModel _model;
    private readonly Tensor _pictures;
    private readonly Tensor _ids;
    private readonly Tensor _mask;
    private readonly Tensor _target;

    /// <summary>Makes model and inputs.</summary>
    /// <param name="options">The model, the size of pictures and the batch.</param>
    /// <param name="batch">How many pictures go through the model together.</param>
    public ModelBenchmark(LavtOptions options, int batch)
    {
        ArgumentNullException.ThrowIfNull(options);
        _options = options;
        var random = new RandomSource((ulong)options.Training.Seed);
        _model = new LavtModel(options.Model, random);
        int size = options.Data.ImageSize;
        _pictures = Tensor.Empty([batch, 3, size, size]).Persist();
        random.FillUniform(_pictures.Span<float>(), -2, 2);
        _ids = Tensor.Zeros([batch, ReferDatasets.MaxTokens], DType.I64).Persist();
        _mask = Tensor.Zeros([batch, ReferDatasets.MaxTokens]).Persist();
        _mask.Span<float>().Fill(1);
        _target = Tensor.Zeros([batch, size, size], DType.U8).Persist();
        _target.Span<byte>()[..(size * size / 2)].Fill(1);
    }

    /// <summary>Times of forward passes in evaluation mode, in seconds; one more runs before them and does not count.</summary>
    public double[] Forward(int runs)
    {
        _model.SetMode(training: false);
        return Time(runs, () => _model.Forward(_pictures, _model.TextEncoder.Forward(_ids, _mask), _mask));
    }

    /// <summary>Times of training steps (forward, backward, optimizer), in seconds; one more runs before them and does not count.</summary>
    public double[] TrainingStep(int runs)
    {
        TrainingOptions training = _options.Training;
        var optimizer = new AdamW(ParameterGroups.Of(_model, training.TrainedLanguage, training.WeightDecay), training.LearningRate, amsgrad: training.AmsGrad);
        _model.SetMode(training: true);
        return Time(runs, () =>
        {
            using Tape tape = Tape.Begin();
            Tensor logits = _model.Forward(_pictures, _model.TextEncoder.Forward(_ids, _mask), _mask);
            tape.Backward(SegmentationLoss.Compute(training, logits, _target));
            optimizer.Step();
            _model.ClearGradients();
            _model.TextEncoder.ClearGradients();
        });
    }

    private static double[] Time(int runs, Action work)
    {
        double[] seconds = new double[runs];
        for (int i = -1; i < runs; i++)
        {
            long started = Stopwatch.GetTimestamp();
            using (MemoryScope scope = MemoryScope.Begin())
                work();
            if (i >= 0)
                seconds[i] = Stopwatch.GetElapsedTime(started).TotalSeconds;
        }
        return seconds;
    }
}
