using System.Diagnostics;
using Lavt.Autograd;
using Lavt.Data;
using Lavt.Data.Clips;
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

/// <summary>Finds what sentences mean in pictures and videos, with the weights of a checkpoint.</summary>
public sealed class Predictor : IDisposable
{
    private readonly LavtModel _model;
    private readonly ModelSession _session;
    private readonly BertTokenizer _tokenizer;
    private readonly PictureTransform _transform = new();
    private readonly BilinearResizer _resizer = new();

    /// <summary>Loads the checkpoint that <c>--resume</c> names, and the vocabulary.</summary>
    /// <exception cref="OptionException">No checkpoint was named.</exception>
    /// <exception cref="Nn.Weights.WeightFileException">The checkpoint is broken or holds no LAVT.</exception>
    public Predictor(LavtOptions options)
    {
        WarmUp.Start();
        (_model, LavtOptions completed) = TrainedModel.Load(options);
        _session = new ModelSession(_model);
        ImageSize = completed.Data.ImageSize;
        _tokenizer = ReferDatasets.LoadTokenizer(completed.Data, completed.Model.Bert);
    }

    /// <summary>Rows and columns of the model's input.</summary>
    public int ImageSize { get; }

    private int VideoTokens => Math.Min(ClipShape.MaxTokens, _model.Options.Bert.Positions);

    /// <summary>The sentences of which the model reads the beginning alone, for they have more word pieces than it takes.</summary>
    /// <param name="sentences">The sentences.</param>
    /// <param name="aboutVideo">Whether they are about a video.</param>
    public IEnumerable<string> TooLong(IEnumerable<string> sentences, bool aboutVideo) =>
        sentences.Where(sentence => _tokenizer.Encode(sentence, aboutVideo ? VideoTokens : ReferDatasets.MaxTokens).IsCutOff);

    /// <summary>The mask of each sentence. What does not depend on the sentence is computed once.</summary>
    public IReadOnlyList<SentencePrediction> Predict(Picture picture, IReadOnlyList<string> sentences)
    {
        ArgumentNullException.ThrowIfNull(picture);
        ArgumentNullException.ThrowIfNull(sentences);
        using MemoryScope scope = MemoryScope.Begin();
        Tensor input = Tensor.Empty([1, 1, 3, ImageSize, ImageSize]);
        _transform.Apply(picture, ImageSize, input.Span<float>());
        PwamVisuals prefix = _session.Prefix(input);
        return [.. sentences.Select(sentence => Predict(picture, prefix, sentence))];
    }

    /// <summary>
    /// The masks of each sentence in every frame of a video. A video model sees <paramref name="window"/> frames together, and no
    /// more than those of two windows are held; a picture model sees one at a time.
    /// </summary>
    /// <param name="frames">The frames in the order of time; each is used before the next one is asked for.</param>
    /// <param name="sentences">The sentences.</param>
    /// <param name="window">Frames of a window; 0 for the whole video.</param>
    /// <param name="ready">Gets the number of the sentence, that of the frame, and the mask, which is filled anew for the next frame; frames come in the order of time.</param>
    /// <param name="stop">Asks for a stop.</param>
    /// <exception cref="OperationCanceledException">A stop was asked for.</exception>
    public void Predict(IEnumerable<Picture> frames, IReadOnlyList<string> sentences, int window, Action<int, int, Mask> ready, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(frames);
        ArgumentNullException.ThrowIfNull(sentences);
        ArgumentNullException.ThrowIfNull(ready);
        using MemoryScope scope = MemoryScope.Begin();
        using var pass = new SentencePass(_model, _session, ImageSize, [.. sentences.Select(sentence => _tokenizer.Encode(sentence, VideoTokens))]);
        Mask found = new();
        foreach (FrameWindow<SquareFrame> part in FrameWindows.Cut(frames.Select(Square), pass.WindowOf(window)))
        {
            pass.Run([.. part.Frames.Select(frame => frame.Pixels)], stop, (sentence, logits) =>
            {
                for (int i = part.Seen; i < part.Frames.Count; i++)
                {
                    PredictedMask.Read(logits, i, part.Frames[i].Rows, part.Frames[i].Columns, found);
                    ready(sentence, part.First + i, found);
                }
            });
        }
    }

    /// <summary>Gives back what predicting holds on a GPU.</summary>
    public void Dispose() => _session.Dispose();

    private SquareFrame Square(Picture picture)
    {
        Picture square = new(ImageSize, ImageSize);
        _resizer.Run(picture, square);
        return new SquareFrame(square.Pixels.ToArray(), picture.Rows, picture.Columns);
    }

    private SentencePrediction Predict(Picture picture, PwamVisuals prefix, string sentence)
    {
        using MemoryScope scope = MemoryScope.Begin();
        long started = Stopwatch.GetTimestamp();
        (Tensor ids, Tensor mask) = TokenTensors.Of(_tokenizer.Encode(sentence, ReferDatasets.MaxTokens));
        Tensor logits = Ops.To(_session.Logits(prefix, ImageSize, ImageSize, _session.Words(ids, mask), mask), Device.Cpu);
        var found = new Mask();
        PredictedMask.Read(logits, 0, picture.Rows, picture.Columns, found);
        return new SentencePrediction(sentence, found, Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    private readonly record struct SquareFrame(byte[] Pixels, int Rows, int Columns);
}
