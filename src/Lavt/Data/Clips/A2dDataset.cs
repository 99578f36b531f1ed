using Lavt.Text;

namespace Lavt.Data.Clips;

/// <summary>How the frames of a clip around an annotated frame are chosen.</summary>
public enum ClipSampling
{
    /// <summary>Successive frames.</summary>
    Window,

    /// <summary>Frames near by and from the whole video, as in training.</summary>
    Drawn,
}

/// <summary>Clips of A2D-Sentences: frames around the one that has a mask.</summary>
public sealed class A2dDataset : IClipDataset
{
    private const int MaxDraws = 100;
    private readonly A2dData _data;
    private readonly Tokens[] _tokens;
    private readonly ClipSampling _sampling;
    private readonly bool _drawAgain;

    /// <summary>Takes the sentences of a split.</summary>
    /// <param name="data">The split.</param>
    /// <param name="tokenizer">The vocabulary; null where only frames and masks matter.</param>
    /// <param name="imageSize">The side in pixels to which frames and masks are squashed.</param>
    /// <param name="frames">The number of frames of a clip.</param>
    /// <param name="sampling">Which frames.</param>
    /// <param name="drawAgain">Whether another sample takes the place of one whose mask is empty, as in training; otherwise that is an error.</param>
    /// <exception cref="DataException">The split has no sentences.</exception>
    public A2dDataset(A2dData data, BertTokenizer? tokenizer, int imageSize, int frames, ClipSampling sampling, bool drawAgain)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentOutOfRangeException.ThrowIfLessThan(imageSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(frames, 1);
        if (data.Sentences.Count == 0) throw new DataException(new DataProblem(data.SentencePath, "", "there are no sentences"), "restore the file of the data set");
        (_data, _sampling, _drawAgain) = (data, sampling, drawAgain);
        Shape = new ClipShape(frames, 1, imageSize, ClipShape.MaxTokens);
        _tokens = [.. data.Sentences.Select(sentence => tokenizer?.Encode(sentence.Text, ClipShape.MaxTokens) ?? Tokens.None)];
    }

    /// <inheritdoc/>
    public string Name => $"a2d {_data.Split}";

    /// <inheritdoc/>
    public int Count => _tokens.Length;

    /// <inheritdoc/>
    public ClipShape Shape { get; }

    /// <summary>The sentence of a sample.</summary>
    public A2dSentence this[int sample] => _data.Sentences[sample];

    /// <inheritdoc/>
    public string PlaceOf(int sample) => Place(this[sample]);

    /// <inheritdoc/>
    public void Load(ClipChoice choice, ClipReader reader, ClipItem into)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(into);
        RandomSequence random = new(choice.Draw, 0);
        int index = ShownSample(choice.Sample, random, into);
        A2dSentence sentence = this[index];
        ClipReader.TakeMask(into.Truth, into, 0);
        FrameSource frames = _data.Open(sentence.Video, PlaceOf(index));
        if (sentence.Frame > frames.Count)
            throw new DataException(new DataProblem(_data.SentencePath, PlaceOf(index), $"the clip has only {frames.Count} frames"), "restore the clip of the data set");
        Span<int> chosen = into.Begin(Shape.Frames);
        if (_sampling == ClipSampling.Window) FrameSampling.Window(sentence.Frame - 1, frames.Count, chosen);
        else FrameSampling.Draw(sentence.Frame - 1, frames.Count, random, chosen);
        // Where the frame is repeated, the published code takes its first place.
        into.AnnotatedFrame = chosen.IndexOf(sentence.Frame - 1);
        frames.Read(reader, PlaceOf(index), into);
        (into.Sentence, into.Tokens, into.Name) = (sentence.Text, _tokens[index], sentence.Name);
    }

    private static string Place(A2dSentence sentence) => $"video {sentence.Video}, frame {sentence.Frame}, instance {sentence.Instance}";

    /// <summary>The sample, or the first one drawn for it whose mask covers something; its mask is read.</summary>
    private int ShownSample(int index, RandomSequence random, ClipItem into)
    {
        for (int draw = 0; draw < MaxDraws; draw++, index = random.Below(Count))
        {
            A2dSentence sentence = this[index];
            string path = _data.MaskPath(sentence.Video, sentence.Frame);
            A2dMask.Read(path, sentence.Instance, PlaceOf(index), into.Truth);
            if (into.Truth.Area() > 0) return index;
            if (!_drawAgain) throw new DataException(new DataProblem(path, PlaceOf(index), "the mask covers no pixel"), DataException.VerifyAdvice);
        }
        throw new DataException(new DataProblem(_data.SentencePath, PlaceOf(index), $"{MaxDraws} masks in a row cover no pixel"), DataException.VerifyAdvice);
    }
}
