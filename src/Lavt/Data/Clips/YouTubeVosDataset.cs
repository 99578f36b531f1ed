using Lavt.Imaging;
using Lavt.Text;

namespace Lavt.Data.Clips;

/// <summary>
/// Training clips of Refer-YouTube-VOS: as many samples for each sentence as clips fit into the video one after the other,
/// each with frames drawn around the first one of its part. Every frame has a mask.
/// </summary>
public sealed class YouTubeVosDataset : IClipDataset
{
    private const int MaxDraws = 100;
    private readonly YouTubeVosData _data;
    private readonly List<Sample> _samples = [];

    /// <summary>Lists the samples.</summary>
    /// <param name="data">A split with masks.</param>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="imageSize">The side in pixels to which frames and masks are squashed.</param>
    /// <param name="frames">The number of frames of a clip (--num_frames).</param>
    /// <exception cref="DataException">The split has no sentences, or does not say which objects they mean.</exception>
    public YouTubeVosDataset(YouTubeVosData data, BertTokenizer tokenizer, int imageSize, int frames)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfLessThan(imageSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(frames, 1);
        _data = data;
        Shape = new ClipShape(frames, frames, imageSize, ClipShape.MaxTokens);
        foreach (VideoEntry video in data.Videos)
        {
            foreach (VideoExpression expression in video.Expressions)
            {
                if (expression.Object is null)
                    throw new DataException(new DataProblem(data.ExpressionPath, Place(video, expression), "the sentence has no obj_id"), "train on a split with masks");
                Tokens tokens = tokenizer.Encode(expression.Text, ClipShape.MaxTokens);
                for (int frame = 0; frame < video.Frames.Count; frame += frames) _samples.Add(new Sample(video, expression, tokens, frame));
            }
        }
        if (_samples.Count == 0) throw new DataException(new DataProblem(data.ExpressionPath, "", "there are no sentences"), "restore the file of the data set");
    }

    /// <inheritdoc/>
    public string Name => $"ytvos {_data.Split}";

    /// <inheritdoc/>
    public int Count => _samples.Count;

    /// <inheritdoc/>
    public ClipShape Shape { get; }

    /// <inheritdoc/>
    public string PlaceOf(int sample) => Place(_samples[sample].Video, _samples[sample].Expression);

    /// <inheritdoc/>
    /// <remarks>Where the object is in no frame of the clip, another sample is drawn in its place.</remarks>
    public void Load(ClipChoice choice, ClipReader reader, ClipItem into)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(into);
        RandomSequence random = new(choice.Draw, 0);
        int index = choice.Sample;
        for (int draw = 0; draw < MaxDraws; draw++, index = random.Below(Count))
        {
            Sample sample = _samples[index];
            Span<int> frames = into.Begin(Shape.Frames);
            FrameSampling.Draw(sample.Frame, sample.Video.Frames.Count, random, frames);
            // Masks first: a clip that is drawn again costs no pictures.
            if (!ReadMasks(sample, reader, into)) continue;
            for (int i = 0; i < frames.Length; i++)
                reader.ReadFrame(_data.FramePath(sample.Video.Name, sample.Video.Frames[frames[i]]), PlaceOf(index), into, i);
            (into.Sentence, into.Tokens) = (sample.Expression.Text, sample.Tokens);
            into.Name = $"{sample.Video.Name}/{sample.Expression.Id}";
            return;
        }
        throw new DataException(
            new DataProblem(_data.ExpressionPath, PlaceOf(choice.Sample), $"neither this clip nor {MaxDraws - 1} others that were drawn for it show their objects"),
            DataException.VerifyAdvice);
    }

    private static string Place(VideoEntry video, VideoExpression expression) => $"video {video.Name}, expression {expression.Id}";

    /// <summary>Reads the masks of a clip; false if the object is in none of them.</summary>
    private bool ReadMasks(Sample sample, ClipReader reader, ClipItem into)
    {
        bool seen = false;
        Mask mask = reader.Mask;
        byte index = (byte)sample.Expression.Object!.Value;
        for (int i = 0; i < into.FrameCount; i++)
        {
            string frame = sample.Video.Frames[into.FrameIndices[i]];
            reader.ReadIndices(_data.MaskPath(sample.Video.Name, frame), Place(sample.Video, sample.Expression), mask);
            seen |= mask.Pixels.Contains(index);
            mask.KeepOnly(index);
            ClipReader.TakeMask(mask, into, i);
        }
        return seen;
    }

    private sealed record Sample(VideoEntry Video, VideoExpression Expression, Tokens Tokens, int Frame);
}
