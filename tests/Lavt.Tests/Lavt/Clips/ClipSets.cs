using System.Text.Json;
using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Imaging;
using Lavt.Tests.Data;
using Lavt.Text;
using Lavt.Video;
using Xunit;

namespace Lavt.Tests.Clips;

/// <summary>Makes tiny data sets of clips.</summary>
internal static class ClipSets
{
    public const int Rows = 30;
    public const int Columns = 40;

    public static BertTokenizer Tokenizer { get; } = BertTokenizer.Load(DataGolden.Path("tokenizer"));

    /// <summary>
    /// A video of Refer-YouTube-VOS: object 1 is in every frame, object 2 in the last one only, object 3 in none. Its frames
    /// are grey, and the lighter the later.
    /// </summary>
    public static void AddVideo(string root, string split, string video, int frames)
    {
        string pictures = Path.Combine(root, split, "JPEGImages", video), masks = Path.Combine(root, split, "Annotations", video);
        Directory.CreateDirectory(pictures);
        Directory.CreateDirectory(masks);
        for (int t = 0; t < frames; t++)
        {
            Shade(t).SaveJpeg(Path.Combine(pictures, FrameName(t) + ".jpg"), 100);
            File.WriteAllBytes(Path.Combine(masks, FrameName(t) + ".png"), Png.EncodeIndices(Objects(t, frames), new byte[3 * 3]));
        }
    }

    public static string FrameName(int frame) => (5 * frame).ToString("00000", System.Globalization.CultureInfo.InvariantCulture);

    public static int ShadeOf(int frame) => 20 + 12 * frame;

    /// <summary>Writes the sentences: for each video its frames and the objects that are spoken of, in order.</summary>
    public static void WriteExpressions(string root, string split, bool withObjects, params (string Video, int Frames, int[] Objects)[] videos)
    {
        string file = YouTubeVosData.ExpressionPathOf(root, split);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        var content = videos.ToDictionary(video => video.Video, video => new Dictionary<string, object>
        {
            ["frames"] = Enumerable.Range(0, video.Frames).Select(FrameName).ToArray(),
            ["expressions"] = video.Objects.Select((item, i) => (item, i)).ToDictionary(entry => entry.i.ToString(System.Globalization.CultureInfo.InvariantCulture), entry => Sentence(entry.item, withObjects)),
        });
        File.WriteAllBytes(file, JsonSerializer.SerializeToUtf8Bytes(new { videos = content }));
    }

    /// <summary>An A2D set: one actor, 0 or 2, for each sentence; the masks are golden ones of 17 x 23 pixels.</summary>
    public static void WriteA2d(string root, string split, params (string Text, string Video, int Frame, int Instance)[] sentences)
    {
        NeedHdf5();
        Directory.CreateDirectory(root);
        File.WriteAllBytes(
            Path.Combine(root, $"a2d_sentences_single_frame_{split}_annotations.json"),
            JsonSerializer.SerializeToUtf8Bytes(sentences.Select(s => new object[] { s.Text, s.Video, s.Frame, s.Instance })));
        foreach ((_, string video, int frame, _) in sentences)
        {
            string file = Path.Combine(root, "a2d_annotation_with_instances", video, $"{frame:00000}.h5");
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.Copy(DataGolden.Path("hdf5", "00002.h5"), file, overwrite: true);
        }
    }

    /// <summary>The frames of an A2D clip as pictures.</summary>
    public static void AddFrames(string root, string video, int frames)
    {
        string folder = Path.Combine(root, "pngs320H", video);
        Directory.CreateDirectory(folder);
        for (int t = 0; t < frames; t++) Shade(t).SavePng(Path.Combine(folder, $"{t + 1:00000}.png"));
    }

    /// <summary>The frames of an A2D clip as a video.</summary>
    public static void AddClip(string root, string video, int frames)
    {
        Directory.CreateDirectory(Path.Combine(root, "clips320H"));
        using VideoWriter writer = new(Path.Combine(root, "clips320H", video + ".mp4"), Rows, Columns, 25);
        for (int t = 0; t < frames; t++) writer.Add(Shade(t));
        writer.Finish();
    }

    /// <summary>Makes a frame's mask of one actor empty.</summary>
    public static void EmptyMask(string root, string video, int frame, int instance)
    {
        string file = Path.Combine(root, "a2d_annotation_with_instances", video, $"{frame:00000}.h5");
        Mask mask = new();
        A2dMask.Read(file, instance, "", mask);
        byte[] columns = [.. Enumerable.Range(0, mask.Pixels.Length).Select(i => mask.Pixels[i % mask.Rows * mask.Columns + i / mask.Rows])];
        byte[] bytes = File.ReadAllBytes(file);
        int at = bytes.AsSpan().IndexOf(columns);
        Assert.True(at > 0, "the golden file is no longer stored as it is");
        bytes.AsSpan(at, columns.Length).Clear();
        File.WriteAllBytes(file, bytes);
    }

    /// <summary>Skips a test where libhdf5 is not installed.</summary>
    public static void NeedHdf5() => Assert.SkipUnless(A2dMask.IsSupported, "libhdf5 is not installed");

    /// <summary>Skips a test where ffmpeg is not installed.</summary>
    public static void NeedFfmpeg()
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        Assert.SkipUnless(folders.Any(folder => File.Exists(Path.Combine(folder, "ffmpeg"))), "ffmpeg is not installed");
    }

    /// <summary>The frames of a clip, found by their shade.</summary>
    public static int[] FramesShown(ClipItem clip) =>
        [.. Enumerable.Range(0, clip.FrameCount).Select(i => (int)Math.Round((clip.Frame(i)[0] - 20) / 12.0))];

    public static Picture Shade(int frame)
    {
        Picture picture = new(Rows, Columns);
        picture.Pixels.Fill((byte)ShadeOf(frame));
        return picture;
    }

    private static Dictionary<string, string> Sentence(int item, bool withObject)
    {
        Dictionary<string, string> sentence = new() { ["exp"] = item == 1 ? "the one that stays" : "the one that comes last" };
        if (withObject) sentence["obj_id"] = item.ToString(System.Globalization.CultureInfo.InvariantCulture);
        return sentence;
    }

    private static Mask Objects(int frame, int frames)
    {
        Mask mask = new(Rows, Columns);
        for (int y = 5; y < 15; y++) mask.Pixels.Slice(y * Columns + frame, 12).Fill(1);
        if (frame == frames - 1) mask.Pixels.Slice(20 * Columns, 4 * Columns).Fill(2);
        return mask;
    }
}
