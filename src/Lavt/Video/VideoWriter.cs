using System.Globalization;
using Lavt.Imaging;

namespace Lavt.Video;

/// <summary>Writes frames one after the other into an mp4 file (H.264), through ffmpeg.</summary>
public sealed class VideoWriter : IDisposable
{
    private readonly string _path;
    private readonly int _rows;
    private readonly int _columns;
    private readonly Ffmpeg _ffmpeg;

    /// <summary>Starts the encoder.</summary>
    /// <param name="path">The file to write; replaced if it exists.</param>
    /// <param name="rows">The height of the frames in pixels.</param>
    /// <param name="columns">The width of the frames in pixels.</param>
    /// <param name="framesPerSecond">How fast they are shown.</param>
    /// <exception cref="MissingProgramException">ffmpeg is not installed.</exception>
    public VideoWriter(string path, int rows, int columns, double framesPerSecond)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 2);
        ArgumentOutOfRangeException.ThrowIfLessThan(columns, 2);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(framesPerSecond);
        (_path, _rows, _columns) = (path, rows, columns);
        string size = string.Create(CultureInfo.InvariantCulture, $"{columns}x{rows}"), rate = framesPerSecond.ToString("0.######", CultureInfo.InvariantCulture);
        // Players want an even number of rows and columns and colours at half the size.
        _ffmpeg = Ffmpeg.Start(
            ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", rate, "-i", "-", "-vf", "crop=trunc(iw/2)*2:trunc(ih/2)*2",
             "-c:v", "libx264", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-y", "file:" + Path.GetFullPath(path)], withInput: true);
    }

    /// <summary>Adds a frame.</summary>
    /// <exception cref="ArgumentException">It has another size.</exception>
    /// <exception cref="IOException">The encoder gave up; the message says why.</exception>
    public void Add(Picture frame)
    {
        ArgumentNullException.ThrowIfNull(frame);
        if ((frame.Rows, frame.Columns) != (_rows, _columns))
            throw new ArgumentException($"the frame has {frame.Rows} x {frame.Columns} pixels, the video {_rows} x {_columns}", nameof(frame));
        try
        {
            _ffmpeg.Input.Write(frame.Pixels);
        }
        catch (IOException failure)
        {
            throw new IOException($"{_path} was not written: {_ffmpeg.Finish() ?? failure.Message}", failure);
        }
    }

    /// <summary>Ends the file; without this call it is not complete.</summary>
    /// <exception cref="IOException">The file could not be written; the message says why.</exception>
    public void Finish()
    {
        _ffmpeg.Input.Dispose();
        if (_ffmpeg.Finish() is { } complaint) throw new IOException($"{_path} was not written: {complaint}");
    }

    /// <summary>Ends the encoder.</summary>
    public void Dispose() => _ffmpeg.Dispose();
}
