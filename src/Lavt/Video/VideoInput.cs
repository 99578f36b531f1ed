using System.Globalization;
using Lavt.Imaging;

namespace Lavt.Video;

/// <summary>A video to look at: a file that ffmpeg reads, or a folder of JPEG and PNG pictures in the order of their names.</summary>
public sealed class VideoInput
{
    /// <summary>How many frames of a folder of pictures are shown in a second.</summary>
    private const double FolderRate = 25;

    private readonly string _path;
    private readonly string[]? _pictures;

    /// <summary>Looks a video up; nothing is decoded yet.</summary>
    /// <exception cref="PictureException">There is no such file or folder, or the folder holds no pictures.</exception>
    /// <exception cref="MissingProgramException">It is a file, and ffmpeg is not installed.</exception>
    public VideoInput(string path)
    {
        _path = path;
        if (Directory.Exists(path))
        {
            _pictures = [.. Directory.EnumerateFiles(path).Where(IsPicture).Order(StringComparer.Ordinal)];
            if (_pictures.Length == 0) throw new PictureException(path, "the folder holds no pictures", "give a folder of JPEG or PNG files, or a video file");
        }
        FramesPerSecond = _pictures is null ? RateOf(path) : FolderRate;
    }

    /// <summary>How fast the frames are shown.</summary>
    public double FramesPerSecond { get; }

    /// <summary>What files about a frame are called: its picture's name, or its number.</summary>
    public string NameOf(int frame) => _pictures is { } pictures ? Path.GetFileNameWithoutExtension(pictures[frame]) : frame.ToString("00000", CultureInfo.InvariantCulture);

    /// <summary>The frames one after the other. The picture is filled anew for each.</summary>
    /// <exception cref="PictureException">A frame is missing, cut off or damaged.</exception>
    public IEnumerable<Picture> Frames()
    {
        Picture picture = new();
        if (_pictures is null)
        {
            using VideoReader video = new(_path);
            while (video.Read(picture)) yield return picture;
            yield break;
        }
        PictureReader reader = new();
        foreach (string file in _pictures)
        {
            reader.Read(file, picture);
            yield return picture;
        }
    }

    private static bool IsPicture(string file) => Path.GetExtension(file).ToLowerInvariant() is ".jpg" or ".jpeg" or ".png";

    private static double RateOf(string path)
    {
        if (!File.Exists(path)) throw new PictureException(path, "there is no such file or folder", "check the path");
        using Ffmpeg probe = Ffmpeg.Start(
            ["-v", "error", "-protocol_whitelist", "file,pipe", "-select_streams", "v:0", "-show_entries", "stream=avg_frame_rate", "-of", "csv=p=0", "file:" + Path.GetFullPath(path)],
            program: "ffprobe", quiet: false);
        using StreamReader reader = new(probe.Output);
        string[] parts = reader.ReadToEnd().Trim().Split('/', ',');
        if (probe.Finish() is { } complaint) throw Ffmpeg.Broken(path, complaint);
        bool isKnown = parts.Length >= 2 & double.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out double frames);
        return isKnown && double.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out double seconds) && frames > 0 && seconds > 0
            ? frames / seconds
            : FolderRate;
    }
}
