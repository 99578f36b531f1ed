using System.Globalization;
using Lavt.Imaging;

namespace Lavt.Video;

/// <summary>
/// Reads the frames of a video file one after the other, through ffmpeg. Frames come as PPM pictures, whose header tells the
/// size; their pixels are those that PyAV gives (bilinear chroma).
/// </summary>
/// <example>
/// <code>
/// using VideoReader reader = new("clip.mp4");
/// while (reader.Read(picture)) …
/// </code>
/// </example>
public sealed class VideoReader : IDisposable
{
    private const int BufferBytes = 1 << 18;
    private readonly string _path;
    private readonly Ffmpeg _ffmpeg;
    private readonly BufferedStream _stream;
    private bool _isFirst = true;

    /// <summary>The version of ffmpeg, as it tells it; null where it is not installed.</summary>
    public static string? DecoderVersion
    {
        get
        {
            try
            {
                using Ffmpeg ffmpeg = Ffmpeg.Start(["-version"], quiet: false);
                using StreamReader reader = new(ffmpeg.Output);
                string[] words = (reader.ReadToEnd().Split('\n')[0]).Split(' ');
                return words is ["ffmpeg", "version", { } version, ..] ? version : "unknown";
            }
            catch (MissingProgramException)
            {
                return null;
            }
        }
    }

    /// <summary>Starts to decode a file.</summary>
    /// <param name="path">The file.</param>
    /// <exception cref="PictureException">There is no such file.</exception>
    /// <exception cref="MissingProgramException">ffmpeg is not installed.</exception>
    public VideoReader(string path)
        : this(path, [])
    {
    }

    /// <summary>Starts to decode some frames of a file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="frames">Their numbers from 0, in any order; empty for all.</param>
    internal VideoReader(string path, IEnumerable<int> frames)
    {
        if (!File.Exists(path)) throw new PictureException(path, "there is no such file", "check the path and that the data set is complete");
        _path = path;
        string wanted = string.Join('+', frames.Distinct().Select(frame => string.Create(CultureInfo.InvariantCulture, $"eq(n\\,{frame})")));
        string[] select = wanted.Length > 0 ? ["-vf", $"select={wanted}"] : [];
        _ffmpeg = Ffmpeg.Start(
            [.. Source(path), .. select, .. Ffmpeg.Passthrough, "-sws_flags", "bilinear", "-f", "image2pipe", "-c:v", "ppm", "-pix_fmt", "rgb24", "-"]);
        _stream = new BufferedStream(_ffmpeg.Output, BufferBytes);
    }

    /// <summary>Reads the next frame; false behind the last one.</summary>
    /// <exception cref="PictureException">The file is cut off, damaged or no video.</exception>
    public bool Read(Picture into)
    {
        ArgumentNullException.ThrowIfNull(into);
        int first = _stream.ReadByte();
        if (first < 0)
        {
            string? complaint = _ffmpeg.Finish();
            if (complaint is not null || _isFirst) throw Ffmpeg.Broken(_path, complaint);
            return false;
        }
        _isFirst = false;
        if (first != 'P' || _stream.ReadByte() != '6') throw Ffmpeg.Broken(_path, "the decoder sent no PPM pictures");
        (int columns, int rows, int largest) = (Number(), Number(), Number());
        if (largest != 255 || (long)rows * columns > Picture.MaxPixels) throw PictureException.TooLarge(_path, rows, columns);
        into.Reshape(rows, columns);
        try
        {
            _stream.ReadExactly(into.Pixels);
        }
        catch (EndOfStreamException)
        {
            throw Ffmpeg.Broken(_path, _ffmpeg.Finish());
        }
        return true;
    }

    /// <summary>Ends the decoder.</summary>
    public void Dispose()
    {
        _ffmpeg.Dispose();
        _stream.Dispose();
    }

    /// <summary>The number of frames of a file, which is decoded as a whole for it.</summary>
    /// <exception cref="PictureException">The file is missing, cut off, damaged or no video.</exception>
    /// <exception cref="MissingProgramException">ffmpeg is not installed.</exception>
    public static int CountFrames(string path)
    {
        if (!File.Exists(path)) throw new PictureException(path, "there is no such file", "check the path and that the data set is complete");
        using Ffmpeg ffmpeg = Ffmpeg.Start([.. Source(path), .. Ffmpeg.Passthrough, "-progress", "pipe:1", "-f", "null", "-"]);
        using StreamReader reader = new(ffmpeg.Output);
        int frames = 0;
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith("frame=", StringComparison.Ordinal)) frames = int.Parse(line["frame=".Length..], CultureInfo.InvariantCulture);
        }
        string? complaint = ffmpeg.Finish();
        return complaint is null && frames > 0 ? frames : throw Ffmpeg.Broken(path, complaint);
    }

    /// <summary>Decodes one file and nothing that it might point to; loading threads run side by side already.</summary>
    private static string[] Source(string path) => ["-protocol_whitelist", "file,pipe", "-threads", "1", "-i", "file:" + Path.GetFullPath(path), "-map", "0:v:0"];

    /// <summary>The next number of the header and the one blank behind it.</summary>
    private int Number()
    {
        int value = 0, digits = 0;
        while (true)
        {
            int next = _stream.ReadByte();
            if (next is >= '0' and <= '9' && digits < 9) (value, digits) = (10 * value + next - '0', digits + 1);
            else if (digits > 0 && next is ' ' or '\n') return value;
            else if (next is not (' ' or '\n')) throw Ffmpeg.Broken(_path, "the decoder sent no PPM pictures");
        }
    }
}
