using Lavt.Imaging;
using Lavt.Text;

namespace Lavt.Data.Clips;

/// <summary>Clips of JHMDB-Sentences: successive frames around the one that is evaluated.</summary>
public sealed class JhmdbDataset : IClipDataset
{
    private readonly JhmdbData _data;
    private readonly Tokens[] _tokens;

    /// <summary>Takes the samples of the data set.</summary>
    /// <param name="data">The data set.</param>
    /// <param name="tokenizer">The vocabulary; null where only frames and masks matter.</param>
    /// <param name="imageSize">The side in pixels to which frames and masks are squashed.</param>
    /// <param name="frames">The number of frames of a clip (--clip_length).</param>
    /// <exception cref="DataException">There are no samples.</exception>
    public JhmdbDataset(JhmdbData data, BertTokenizer? tokenizer, int imageSize, int frames)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentOutOfRangeException.ThrowIfLessThan(imageSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(frames, 1);
        if (data.Samples.Count == 0) throw new DataException(new DataProblem(data.SentencePath, "", "there are no sentences"), "restore the file of the data set");
        _data = data;
        Shape = new ClipShape(frames, 1, imageSize, ClipShape.MaxTokens);
        _tokens = [.. data.Samples.Select(sample => tokenizer?.Encode(sample.Text, ClipShape.MaxTokens) ?? Tokens.None)];
    }

    /// <inheritdoc/>
    public string Name => "jhmdb";

    /// <inheritdoc/>
    public int Count => _tokens.Length;

    /// <inheritdoc/>
    public ClipShape Shape { get; }

    /// <summary>A sample.</summary>
    public JhmdbSample this[int sample] => _data.Samples[sample];

    /// <inheritdoc/>
    public string PlaceOf(int sample) => $"video {this[sample].Video}, frame {this[sample].Frame}";

    /// <inheritdoc/>
    public void Load(ClipChoice choice, ClipReader reader, ClipItem into)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(into);
        JhmdbSample sample = this[choice.Sample];
        string place = PlaceOf(choice.Sample);
        int length = ReadMask(sample, place, into.Truth);
        ClipReader.TakeMask(into.Truth, into, 0);
        FrameSource frames = _data.Open(sample.Video, place);
        if (sample.Frame > Math.Min(length, frames.Count))
            throw new DataException(new DataProblem(_data.SentencePath, place, $"the clip has {frames.Count} frames and {length} masks"), "extract the clip again");
        Span<int> chosen = into.Begin(Shape.Frames);
        FrameSampling.Window(sample.Frame - 1, Math.Min(length, frames.Count), chosen);
        into.AnnotatedFrame = chosen.IndexOf(sample.Frame - 1);
        frames.Read(reader, place, into);
        (into.Sentence, into.Tokens, into.Name) = (sample.Text, _tokens[choice.Sample], sample.Name);
    }

    /// <summary>Reads the mask of a frame; gives the number of frames that have one.</summary>
    private int ReadMask(JhmdbSample sample, string place, Mask into)
    {
        string path = _data.MaskPath(sample.Video, place);
        (int[] shape, byte[] masks) = MatFile.Read(path, "part_mask", withValues: true, place);
        if (shape.Length != 3 || sample.Frame > shape[2])
            throw new DataException(new DataProblem(path, place, $"'part_mask' has the shape [{string.Join(", ", shape)}]"), "extract the data set again");
        (int rows, int columns) = (shape[0], shape[1]);
        into.Reshape(rows, columns);
        ReadOnlySpan<byte> mask = masks.AsSpan((sample.Frame - 1) * rows * columns, rows * columns);
        for (int i = 0; i < mask.Length; i++) into.Pixels[i % rows * columns + i / rows] = mask[i] == 0 ? (byte)0 : (byte)1;
        return shape[2];
    }
}
