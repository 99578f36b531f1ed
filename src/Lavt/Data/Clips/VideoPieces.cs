using Lavt.Text;

namespace Lavt.Data.Clips;

/// <summary>A piece of a video.</summary>
/// <param name="Video">The index of the video.</param>
/// <param name="First">Its first frame.</param>
/// <param name="Count">The number of its frames.</param>
public readonly record struct VideoPiece(int Video, int First, int Count);

/// <summary>
/// Whole videos for evaluation, in pieces of successive frames, so that a loader that runs ahead holds a bounded number of
/// frames however long the videos are. The pieces of a video follow each other; sentences are asked for by video.
/// </summary>
public sealed class VideoPieces : IClipDataset
{
    private readonly YouTubeVosData _data;
    private readonly Tokens[][] _sentences;
    private readonly List<VideoPiece> _pieces = [];

    /// <summary>Cuts videos into pieces.</summary>
    /// <param name="data">The videos.</param>
    /// <param name="tokenizer">The vocabulary.</param>
    /// <param name="imageSize">The side in pixels to which frames are squashed.</param>
    /// <param name="frames">The number of frames of a piece; the last one of a video may have fewer.</param>
    public VideoPieces(YouTubeVosData data, BertTokenizer tokenizer, int imageSize, int frames)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentOutOfRangeException.ThrowIfLessThan(imageSize, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(frames, 1);
        _data = data;
        Shape = new ClipShape(frames, 0, imageSize, ClipShape.MaxTokens);
        _sentences = [.. data.Videos.Select(video => video.Expressions.Select(expression => tokenizer.Encode(expression.Text, ClipShape.MaxTokens)).ToArray())];
        for (int video = 0; video < data.Videos.Count; video++)
        {
            int length = data.Videos[video].Frames.Count;
            for (int first = 0; first < length; first += frames) _pieces.Add(new VideoPiece(video, first, Math.Min(frames, length - first)));
        }
    }

    /// <inheritdoc/>
    public string Name => $"ytvos {_data.Split}";

    /// <inheritdoc/>
    public int Count => _pieces.Count;

    /// <inheritdoc/>
    public ClipShape Shape { get; }

    /// <summary>The split.</summary>
    public YouTubeVosData Data => _data;

    /// <summary>Whether true masks are there, and the sentences say which object they mean.</summary>
    public bool HasMasks => _data.Videos.Any(video => video.Expressions.All(expression => expression.Object is not null)
        && video.Frames.Any(frame => File.Exists(_data.MaskPath(video.Name, frame))));

    /// <summary>The items of a video in the order of time.</summary>
    public ClipChoice[] PlanOf(int video) =>
        [.. Enumerable.Range(0, Count).Where(sample => _pieces[sample].Video == video).Select(sample => new ClipChoice(sample, 0))];

    /// <summary>The videos.</summary>
    public IReadOnlyList<VideoEntry> Videos => _data.Videos;

    /// <summary>A piece.</summary>
    public VideoPiece this[int sample] => _pieces[sample];

    /// <summary>The sentences of a video as word pieces, in the order of <see cref="VideoEntry.Expressions"/>.</summary>
    public IReadOnlyList<Tokens> Sentences(int video) => _sentences[video];

    /// <inheritdoc/>
    public string PlaceOf(int sample) => $"video {_data.Videos[_pieces[sample].Video].Name}";

    /// <inheritdoc/>
    public void Load(ClipChoice choice, ClipReader reader, ClipItem into)
    {
        ArgumentNullException.ThrowIfNull(reader);
        ArgumentNullException.ThrowIfNull(into);
        VideoPiece piece = _pieces[choice.Sample];
        VideoEntry video = _data.Videos[piece.Video];
        Span<int> frames = into.Begin(piece.Count);
        for (int i = 0; i < frames.Length; i++)
        {
            frames[i] = piece.First + i;
            reader.ReadFrame(_data.FramePath(video.Name, video.Frames[frames[i]]), PlaceOf(choice.Sample), into, i);
        }
        into.Name = video.Name;
    }
}
