using Lavt.Imaging;
using Lavt.Text;

namespace Lavt.Data.Clips;

/// <summary>One clip of a <see cref="ClipBatch"/>. The memory belongs to the batch's loader and is filled anew for later batches.</summary>
public sealed class ClipItem
{
    private readonly Memory<byte> _frames;
    private readonly Memory<byte> _masks;
    private readonly int[] _frameIndices;
    private int _frameCount;

    internal ClipItem(ClipShape shape, Memory<byte> frames, Memory<byte> masks)
    {
        Shape = shape;
        (_frames, _masks) = (frames, masks);
        _frameIndices = new int[shape.Frames];
    }

    /// <summary>The sizes of the data set's clips.</summary>
    public ClipShape Shape { get; }

    /// <summary>Which sample the clip is of.</summary>
    public ClipChoice Choice { get; private set; }

    /// <summary>The number of frames; less than <see cref="ClipShape.Frames"/> only in the last piece of a video.</summary>
    public int FrameCount => _frameCount;

    /// <summary>The frames (FrameCount, S, S, 3): red, green and blue of each pixel.</summary>
    public Span<byte> Frames => _frames.Span[..(_frameCount * Shape.Plane * 3)];

    /// <summary>The masks (M, S, S) of 0 and 1.</summary>
    public Span<byte> Masks => _masks.Span;

    /// <summary>The place of each frame in its video, from 0.</summary>
    public ReadOnlySpan<int> FrameIndices => _frameIndices.AsSpan(0, _frameCount);

    /// <summary>Which frame of the clip the mask belongs to, where there is one mask; otherwise 0.</summary>
    public int AnnotatedFrame { get; internal set; }

    /// <summary>The mask of the annotated frame at its original size, where there is one mask; of clips made of a picture that of the picture.</summary>
    public Mask Truth { get; } = new();

    /// <summary>The height in pixels that the frames had.</summary>
    public int OriginalRows { get; internal set; }

    /// <summary>The width in pixels that the frames had.</summary>
    public int OriginalColumns { get; internal set; }

    /// <summary>The sentence.</summary>
    public string Sentence { get; internal set; } = "";

    /// <summary>The sentence as word pieces.</summary>
    public Tokens Tokens { get; internal set; } = Tokens.None;

    /// <summary>A name for results, such as <c>v_VIDEO_f_FRAME_i_INSTANCE</c>.</summary>
    public string Name { get; internal set; } = "";

    /// <summary>Why the clip could not be loaded, if the loader goes on past broken ones; its content means nothing then.</summary>
    public DataException? Failure { get; internal set; }

    /// <summary>A frame (S, S, 3).</summary>
    public Span<byte> Frame(int place) => Frames.Slice(place * Shape.Plane * 3, Shape.Plane * 3);

    /// <summary>A mask (S, S).</summary>
    public Span<byte> Mask(int place) => Masks.Slice(place * Shape.Plane, Shape.Plane);

    internal void Start(ClipChoice choice)
    {
        Choice = choice;
        Failure = null;
        AnnotatedFrame = 0;
        Begin(Shape.Frames);
    }

    /// <summary>Sets the number of frames and gives their places to be filled in.</summary>
    internal Span<int> Begin(int frameCount)
    {
        _frameCount = frameCount;
        return _frameIndices.AsSpan(0, frameCount);
    }
}
