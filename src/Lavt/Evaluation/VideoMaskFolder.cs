using System.IO.Compression;
using Lavt.Imaging;
using Lavt.Nn.Weights;

namespace Lavt.Evaluation;

/// <summary>
/// Writes the predicted masks of videos as Refer-YouTube-VOS wants them: <c>Annotations/VIDEO/EXPRESSION/FRAME.png</c> with 0
/// and 255, and all of them as one zip file.
/// </summary>
public sealed class VideoMaskFolder
{
    private const string Annotations = "Annotations";
    private readonly string _root;

    /// <summary>Makes the folder.</summary>
    /// <param name="root">The folder that gets <c>Annotations</c>.</param>
    public VideoMaskFolder(string root)
    {
        _root = root;
        OutputPath.MakeFolder(Path.Combine(root, Annotations));
    }

    /// <summary>The file of a mask.</summary>
    public string FileOf(string video, string expression, string frame) => Path.Combine(_root, Annotations, video, expression, frame + ".png");

    /// <summary>The picture of a frame with its mask, for <c>--visualize</c>.</summary>
    public string PictureOf(string video, int expression, string frame) => PictureOf(_root, video, expression, frame);

    /// <summary>The same below a folder that is not made.</summary>
    public static string PictureOf(string root, string video, int expression, string frame) =>
        Path.Combine(root, "images", video, expression.ToString(System.Globalization.CultureInfo.InvariantCulture), frame + ".png");

    /// <summary>Writes a mask.</summary>
    /// <param name="video">The video.</param>
    /// <param name="expression">The sentence's key.</param>
    /// <param name="frame">The name of the frame.</param>
    /// <param name="mask">The mask at the frame's original size.</param>
    public void Add(string video, string expression, string frame, Mask mask)
    {
        ArgumentNullException.ThrowIfNull(mask);
        string file = FileOf(video, expression, frame);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        mask.SavePng(file);
    }

    /// <summary>Writes the picture of a frame with half of the sentence's colour on the mask.</summary>
    /// <param name="video">The video.</param>
    /// <param name="expression">The place of the sentence among the video's, from 0.</param>
    /// <param name="frame">The name of the frame.</param>
    /// <param name="picture">The frame.</param>
    /// <param name="mask">The mask, of the same size.</param>
    public void AddPicture(string video, int expression, string frame, Picture picture, Mask mask)
    {
        string file = PictureOf(video, expression, frame);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        Overlay.Tinted(picture, mask, expression).SavePng(file);
    }

    /// <summary>
    /// Packs all masks into the file that the competition takes. The same masks give the same bytes, whenever and wherever.
    /// </summary>
    /// <exception cref="IOException">The file could not be written; the one before is whole.</exception>
    public void SaveZip(string file)
    {
        string[] masks = [.. Directory.GetFiles(Path.Combine(_root, Annotations), "*.png", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
        AtomicFile.Write(file, stream =>
        {
            using ZipArchive zip = new(stream, ZipArchiveMode.Create, leaveOpen: true);
            foreach (string mask in masks)
            {
                // PNG files are compressed already.
                ZipArchiveEntry entry = zip.CreateEntry(Path.GetRelativePath(_root, mask).Replace('\\', '/'), CompressionLevel.NoCompression);
                entry.LastWriteTime = new DateTimeOffset(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);
                using Stream to = entry.Open();
                to.Write(File.ReadAllBytes(mask));
            }
        });
    }
}
