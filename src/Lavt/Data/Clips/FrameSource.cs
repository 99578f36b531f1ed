using Lavt.Imaging;
using Lavt.Video;

namespace Lavt.Data.Clips;

/// <summary>The frames of a video, wherever they come from.</summary>
internal abstract class FrameSource
{
    /// <summary>The number of frames.</summary>
    public abstract int Count { get; }

    /// <summary>Reads frames into a clip: those whose places in the video the clip says.</summary>
    /// <exception cref="DataException">The video or a frame is missing or broken.</exception>
    public abstract void Read(ClipReader reader, string place, ClipItem into);
}

/// <summary>A folder of pictures, a frame each, in the order of their names.</summary>
/// <param name="folder">The folder.</param>
/// <param name="place">Whom it is read for, for error messages.</param>
internal sealed class FrameFolder(string folder, string place) : FrameSource
{
    private readonly string[] _files = List(folder, place);

    /// <inheritdoc/>
    public override int Count => _files.Length;

    /// <inheritdoc/>
    public override void Read(ClipReader reader, string place, ClipItem into)
    {
        for (int i = 0; i < into.FrameCount; i++) reader.ReadFrame(_files[into.FrameIndices[i]], place, into, i);
    }

    private static string[] List(string folder, string place)
    {
        string[] files = Directory.Exists(folder)
            ? [.. Directory.EnumerateFiles(folder).Where(file => Path.GetExtension(file) is ".png" or ".jpg").Order(StringComparer.Ordinal)]
            : [];
        return files.Length > 0
            ? files
            : throw new DataException(new DataProblem(folder, place, "there is no such folder of frames"), "extract the frames, or put the clip as mp4 in its place");
    }
}

/// <summary>A video file.</summary>
/// <param name="path">The file.</param>
/// <param name="count">The number of its frames.</param>
internal sealed class FrameFile(string path, int count) : FrameSource
{
    /// <inheritdoc/>
    public override int Count { get; } = count;

    /// <summary>Counts the frames of a file.</summary>
    /// <exception cref="DataException">The file is missing or broken.</exception>
    public static int CountFrames(string path, string place)
    {
        try
        {
            return VideoReader.CountFrames(path);
        }
        catch (PictureException failure)
        {
            throw ClipReader.Broken(failure, place);
        }
    }

    /// <inheritdoc/>
    public override void Read(ClipReader reader, string place, ClipItem into)
    {
        try
        {
            using VideoReader video = new(path, into.FrameIndices.ToArray());
            int shown = -1;
            for (int i = 0; i < into.FrameCount; i++)
            {
                if (into.FrameIndices[i] == shown)
                {
                    into.Frame(i - 1).CopyTo(into.Frame(i));
                    continue;
                }
                if (!video.Read(reader.Picture)) throw Ffmpeg.Broken(path, $"it ends before frame {into.FrameIndices[i]}");
                reader.TakeFrame(reader.Picture, into, i);
                shown = into.FrameIndices[i];
            }
        }
        catch (PictureException failure)
        {
            throw ClipReader.Broken(failure, place);
        }
    }
}
