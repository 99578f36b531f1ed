using Lavt.Evaluation;
using Lavt.Imaging;
using Lavt.Nn.Weights;
using Lavt.Video;

namespace Lavt.Prediction;

/// <summary>
/// Writes the masks of one sentence in a video: a PNG file for each frame, and a video in which they are drawn over the frames,
/// which are read once more for it, so that none has to be kept.
/// </summary>
public sealed class VideoOverlay : IDisposable
{
    private readonly VideoInput _input;
    private readonly string _maskFolder;
    private readonly string _file;
    private readonly IEnumerator<Picture> _frames;
    private VideoWriter? _writer;

    /// <summary>Makes the folder.</summary>
    /// <param name="input">The video.</param>
    /// <param name="maskFolder">Gets <c>FRAME.png</c> for each frame.</param>
    /// <param name="file">The mp4 file to write.</param>
    public VideoOverlay(VideoInput input, string maskFolder, string file)
    {
        ArgumentNullException.ThrowIfNull(input);
        OutputPath.MakeFolder(maskFolder);
        (_input, _maskFolder, _file) = (input, maskFolder, file);
        _frames = input.Frames().GetEnumerator();
    }

    /// <summary>The part of all pixels that the masks cover so far, from 0 to 1.</summary>
    public double Coverage => Pixels == 0 ? 0 : (double)Covered / Pixels;

    private long Covered { get; set; }

    private long Pixels { get; set; }

    /// <summary>Adds the mask of the next frame.</summary>
    /// <param name="frame">Its number, from 0; they come in order.</param>
    /// <param name="mask">The mask, of the frame's size.</param>
    /// <exception cref="IOException">The video could not be written; the message says why.</exception>
    public void Add(int frame, Mask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        if (!_frames.MoveNext()) throw new ArgumentOutOfRangeException(nameof(frame), frame, "the video has fewer frames");
        mask.SavePng(Path.Combine(_maskFolder, _input.NameOf(frame) + ".png"));
        Covered += mask.Area();
        Pixels += mask.Pixels.Length;
        Picture drawn = Overlay.Draw(_frames.Current, mask);
        _writer ??= new VideoWriter(_file, drawn.Rows, drawn.Columns, _input.FramesPerSecond);
        _writer.Add(drawn);
    }

    /// <summary>Ends the video; without this call it is not complete.</summary>
    /// <exception cref="IOException">It could not be written; the message says why.</exception>
    public void Finish() => _writer?.Finish();

    /// <inheritdoc/>
    public void Dispose()
    {
        _writer?.Dispose();
        _frames.Dispose();
    }
}
