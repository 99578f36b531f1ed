using Lavt.Imaging;
using Lavt.Tests.Data;
using Lavt.Video;
using Xunit;

namespace Lavt.Tests.Clips;

public sealed class VideoTests : IDisposable
{
    private readonly DataGolden.TemporaryFolder _folder = DataGolden.NewFolder();

    public void Dispose() => _folder.Dispose();

    private string FileOf(string name) => Path.Combine(_folder.Folder, name);

    [Fact]
    public void Without_ffmpeg_the_message_says_what_to_install()
    {
        MissingProgramException failure = Assert.Throws<MissingProgramException>(() => Ffmpeg.Start(["-version"], program: "ffmpeg-of-nowhere"));
        Assert.Contains("apt-get install ffmpeg", failure.Message);
    }

    [Fact]
    public void Frames_that_are_written_are_read_again()
    {
        ClipSets.NeedFfmpeg();
        string file = FileOf("it's a clip, 1%.mp4");
        Write(file, 7, 31, 44);
        Assert.Equal(7, VideoReader.CountFrames(file));
        using VideoReader reader = new(file);
        Picture frame = new();
        int count = 0;
        for (; reader.Read(frame); count++)
        {
            // An odd last row is cut off: players want even sizes.
            Assert.Equal((30, 44), (frame.Rows, frame.Columns));
            Assert.InRange(frame.Pixels[0], 30 * count + 10 - 3, 30 * count + 10 + 3);
        }
        Assert.Equal(7, count);
        Assert.False(reader.Read(frame));
    }

    [Fact]
    public void Chosen_frames_come_in_the_order_of_time()
    {
        ClipSets.NeedFfmpeg();
        string file = FileOf("clip.mp4");
        Write(file, 7, 32, 32);
        using VideoReader reader = new(file, [5, 1, 5]);
        Picture frame = new();
        Assert.True(reader.Read(frame));
        Assert.InRange(frame.Pixels[0], 37, 43);
        Assert.True(reader.Read(frame));
        Assert.InRange(frame.Pixels[0], 157, 163);
        Assert.False(reader.Read(frame));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(60)]
    [InlineData(-100)]
    public void A_file_that_is_cut_off_is_named(int length)
    {
        ClipSets.NeedFfmpeg();
        string file = FileOf("cut.mp4");
        Write(file, 30, 64, 64);
        byte[] whole = File.ReadAllBytes(file);
        File.WriteAllBytes(file, whole[..(length < 0 ? whole.Length + length : length)]);
        Assert.StartsWith($"{file}: the video is cut off", Assert.Throws<PictureException>(() => VideoReader.CountFrames(file)).Message);
        Assert.StartsWith($"{file}: the video is cut off", Assert.Throws<PictureException>(() => ReadAll(file)).Message);
    }

    [Fact]
    public void Complaints_that_cost_no_frame_are_passed_over()
    {
        using Ffmpeg harmless = Ffmpeg.Start(["-c", "echo mmco: unref short failure >&2"], program: "/bin/sh", quiet: false);
        Assert.Null(harmless.Finish());
        using Ffmpeg serious = Ffmpeg.Start(["-c", "for i in 1 2 3 4 5 6 7 8 9; do echo a long line about something that is quite harmless >&2; done; echo partial file >&2"], program: "/bin/sh", quiet: false);
        Assert.Contains("partial file", serious.Finish());
        using Ffmpeg failed = Ffmpeg.Start(["-c", "exit 3"], program: "/bin/sh", quiet: false);
        Assert.Equal("exit code 3", failed.Finish());
    }

    [Fact]
    public void A_missing_file_is_named() =>
        Assert.Contains("nowhere.mp4: there is no such file", Assert.Throws<PictureException>(() => new VideoReader("nowhere.mp4")).Message);

    [Fact]
    public void A_folder_that_is_missing_is_an_error_of_the_writer()
    {
        ClipSets.NeedFfmpeg();
        IOException failure = Assert.Throws<IOException>(() => Write(FileOf("no/such/folder.mp4"), 400, 64, 64));
        Assert.Contains("folder.mp4 was not written: ", failure.Message);
    }

    private static void ReadAll(string file)
    {
        using VideoReader reader = new(file);
        Picture frame = new();
        while (reader.Read(frame))
        {
        }
    }

    private static void Write(string file, int frames, int rows, int columns)
    {
        using VideoWriter writer = new(file, rows, columns, 10);
        Picture picture = new(rows, columns);
        for (int i = 0; i < frames; i++)
        {
            picture.Pixels.Fill((byte)(30 * i + 10));
            writer.Add(picture);
        }
        writer.Finish();
    }
}
