using System.Diagnostics;
using Lavt.Data;
using Lavt.Evaluation;
using Lavt.Imaging;
using Lavt.Models;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Text;

namespace Lavt.Prediction;

/// <summary>The mask of one sentence.</summary>
/// <param name="Text">The sentence.</param>
/// <param name="Mask">The mask at the picture's own size.</param>
/// <param name="Seconds">How long the model took for it.</param>
public sealed record SentencePrediction(string Text, Mask Mask, double Seconds)
{
    /// <summary>The part of the picture that the mask covers, from 0 to 1.</summary>
    public double Coverage => (double)Mask.Area() / ((long)Mask.Rows * Mask.Columns);
}

/// <summary>Finds what sentences mean in pictures, with the weights of a checkpoint.</summary>
public sealed class Predictor
{
    private readonly LavtModel _model;
    private readonly BertTokenizer _tokenizer;
    private readonly PictureTransform _transform = new();

    /// <summary>Loads the checkpoint that <c>--resume</c> names, and the vocabulary.</summary>
    /// <exception cref="OptionException">No checkpoint was named.</exception>
    /// <exception cref="Nn.Weights.WeightFileException">The checkpoint is broken or holds no LAVT.</exception>
    public Predictor(LavtOptions options)
    {
        WarmUp.Start();
        (_model, LavtOptions completed) = TrainedModel.Load(options);
        ImageSize = completed.Data.ImageSize;
        _tokenizer = ReferDatasets.LoadTokenizer(completed.Data, completed.Model.Bert);
    }

    /// <summary>Rows and columns of the model's input.</summary>
    public int ImageSize { get; }

    /// <summary>The mask of each sentence. What does not depend on the sentence is computed once.</summary>
    public IReadOnlyList<SentencePrediction> Predict(Picture picture, IReadOnlyList<string> sentences)
    {
        ArgumentNullException.ThrowIfNull(picture);
        ArgumentNullException.ThrowIfNull(sentences);
        using MemoryScope scope = MemoryScope.Begin();
        Tensor input = Tensor.Empty([1, 3, ImageSize, ImageSize]);
        _transform.Apply(picture, ImageSize, input.Span<float>());
        PwamVisuals prefix = _model.Prefix(input);
        return [.. sentences.Select(sentence => Predict(picture, prefix, sentence))];
    }

    private SentencePrediction Predict(Picture picture, PwamVisuals prefix, string sentence)
    {
        using MemoryScope scope = MemoryScope.Begin();
        long started = Stopwatch.GetTimestamp();
        Tokens tokens = _tokenizer.Encode(sentence, ReferDatasets.MaxTokens);
        Tensor ids = Tensor.Zeros([1, ReferDatasets.MaxTokens], DType.I64), mask = Tensor.Zeros([1, ReferDatasets.MaxTokens]);
        for (int i = 0; i < tokens.Count; i++)
            ids.Span<long>()[i] = tokens.Ids[i];
        mask.Span<float>()[..tokens.Count].Fill(1);
        Tensor logits = _model.Forward(prefix, ImageSize, ImageSize, _model.TextEncoder.Forward(ids, mask), mask);
        var found = new Mask();
        PredictedMask.Read(logits, 0, picture.Rows, picture.Columns, found);
        return new SentencePrediction(sentence, found, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }
}
