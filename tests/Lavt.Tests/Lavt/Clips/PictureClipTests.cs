using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Imaging;
using Lavt.Options;
using Lavt.Tests.Data;
using Xunit;

namespace Lavt.Tests.Clips;

public class PictureClipTests
{
    private static readonly DataOptions s_options = new() { ReferRoot = DataGolden.Path("refer"), ImageSize = 32, Frames = 4 };

    [Fact]
    public void All_sentences_of_the_three_sets_become_clips()
    {
        IClipDataset clips = ClipDatasets.OpenTraining(s_options with { CombinedImagesAsClips = true }, ClipSets.Tokenizer);
        ReferDataset pictures = ReferDatasets.Open(s_options with { CombinedImages = true }, "train", ClipSets.Tokenizer);
        Assert.Equal(42, clips.Count);
        Assert.Equal(21, pictures.Count);
        Assert.Equal("refcoco, refcoco+, refcocog train", clips.Name);
        Assert.Equal((20, 22), (pictures.MaxTokens, clips.Shape.Tokens));
        Assert.StartsWith("refcocog ref ", clips.PlaceOf(41), StringComparison.Ordinal);
        Assert.Equal(3, pictures.EvaluationPlan().Select(choice => pictures.DataOf(choice.Sample).Dataset).Distinct().Count());
    }

    [Theory]
    [InlineData(DatasetKind.Joint)]
    [InlineData(DatasetKind.RefsAndYouTubeVos)]
    public void Pictures_and_videos_are_joined(DatasetKind dataset)
    {
        using DataGolden.TemporaryFolder videos = DataGolden.NewFolder();
        ClipSets.AddVideo(videos.Folder, "train", "a", 9);
        ClipSets.WriteExpressions(videos.Folder, "train", true, ("a", 9, [1]));
        IClipDataset clips = ClipDatasets.OpenTraining(s_options with { Dataset = dataset, YouTubeVosRoot = videos.Folder }, ClipSets.Tokenizer);
        Assert.Equal("refcoco, refcoco+, refcocog train + ytvos train", clips.Name);
        Assert.Equal(42 + 3, clips.Count);
        ClipItem picture = Load(clips, new ClipChoice(0, 1));
        Assert.Equal(dataset == DatasetKind.RefsAndYouTubeVos, picture.Frame(0).SequenceEqual(picture.Frame(1)));
        ClipItem video = Load(clips, new ClipChoice(43, 1));
        Assert.Equal("a/0", video.Name);
        Assert.Equal(4, video.FrameCount);
    }

    [Fact]
    public void A_repeated_picture_is_the_picture_in_every_frame()
    {
        PictureClips clips = Clips(PictureClipKind.Repeated);
        ReferDataset pictures = ReferDatasets.OpenAll(s_options, "train", ClipSets.Tokenizer, 22);
        foreach (ClipChoice choice in ClipPlan.Evaluation(clips).Take(5))
        {
            ClipItem clip = Load(clips, choice);
            SampleChoice sample = pictures.EvaluationPlan()[choice.Sample];
            Picture square = Resize.Bilinear(Picture.Load(pictures.DataOf(sample.Sample).PicturePath(pictures[sample.Sample])), 32, 32);
            float[] picture = new float[3 * 32 * 32];
            byte[] mask = new byte[32 * 32];
            new SampleReader().Read(pictures, sample.Sample, picture, mask, new Mask());
            for (int i = 0; i < 4; i++)
            {
                Assert.True(square.Pixels.SequenceEqual(clip.Frame(i)));
                Assert.Equal(mask, clip.Mask(i).ToArray());
            }
            Assert.Equal(pictures[sample.Sample].Sentences[sample.Sentence].Raw, clip.Sentence);
        }
    }

    [Fact]
    public void A_moving_clip_has_the_picture_once_at_any_place()
    {
        PictureClips still = Clips(PictureClipKind.Repeated), moving = Clips(PictureClipKind.Moving);
        HashSet<int> places = [];
        int unlike = 0;
        for (ulong draw = 0; draw < 20; draw++)
        {
            byte[] original = Load(still, new ClipChoice(2, draw)).Frame(0).ToArray();
            ClipItem clip = Load(moving, new ClipChoice(2, draw));
            int[] same = [.. Enumerable.Range(0, 4).Where(i => clip.Frame(i).SequenceEqual(original))];
            places.Add(Assert.Single(same));
            unlike += Enumerable.Range(0, 4).Count(i => !clip.Mask(i).SequenceEqual(clip.Mask(same[0])));
        }
        Assert.Equal(4, places.Count);
        Assert.InRange(unlike, 50, 60);
    }

    [Fact]
    public void The_same_draw_gives_the_same_clip()
    {
        PictureClips clips = Clips(PictureClipKind.Moving);
        byte[] first = Load(clips, new ClipChoice(1, 7)).Frames.ToArray();
        Assert.Equal(first, Load(clips, new ClipChoice(1, 7)).Frames.ToArray());
        Assert.NotEqual(first, Load(clips, new ClipChoice(1, 8)).Frames.ToArray());
    }

    [Fact]
    public void Masks_move_with_their_objects()
    {
        // A white block on black: after the movement the mask lies on what is white.
        (Picture picture, Mask mask) = Block(150, 200);
        ClipReader reader = new();
        for (ulong draw = 0; draw < 30; draw++)
        {
            Picture moved = new();
            Mask movedMask = new();
            PictureMotion.Apply(picture, mask, new RandomSequence(draw, 0), reader, moved, movedMask);
            int inside = 0, outside = 0;
            for (int i = 0; i < movedMask.Pixels.Length; i++)
            {
                bool white = moved.Pixels[3 * i] > 128;
                if (movedMask.Pixels[i] != 0 && white) inside++;
                if (movedMask.Pixels[i] != 0 != white) outside++;
            }
            Assert.True(inside > 6 * outside, $"draw {draw}: {inside} pixels agree, {outside} do not");
        }
    }

    [Fact]
    public void No_movement_changes_nothing()
    {
        (Picture picture, Mask mask) = Block(31, 44);
        new Random(1).NextBytes(picture.Pixels);
        Picture moved = new();
        Mask movedMask = new();
        new PictureWarp([(0, 0), (1, 0), (1, 1), (0, 1)], 0, 0).Apply(picture, mask, moved, movedMask);
        Assert.True(picture.Pixels.SequenceEqual(moved.Pixels));
        Assert.True(mask.Pixels.SequenceEqual(movedMask.Pixels));
    }

    [Fact]
    public void A_shift_moves_by_its_share_and_leaves_black_behind()
    {
        (Picture picture, Mask mask) = Block(40, 60);
        picture.Pixels.Fill(200);
        Picture moved = new();
        Mask movedMask = new();
        new PictureWarp([(0, 0), (1, 0), (1, 1), (0, 1)], 0, 0.1).Apply(picture, mask, moved, movedMask);
        for (int y = 0; y < 40; y++)
        {
            for (int x = 0; x < 60; x++)
            {
                bool inside = y >= 4 && x >= 6;
                Assert.Equal(inside ? 200 : 0, moved.Pixels[3 * (y * 60 + x)]);
                Assert.Equal(inside ? mask.Pixels[(y - 4) * 60 + x - 6] : 0, movedMask.Pixels[y * 60 + x]);
            }
        }
    }

    [Fact]
    public void The_corners_of_a_figure_become_the_corners_of_the_picture()
    {
        (double X, double Y)[] figure = [(0.1, 0.05), (0.92, 0.12), (0.85, 0.9), (0.02, 0.97)];
        PictureWarp warp = new(figure, 0, 0);
        (double X, double Y)[] corners = [(0, 0), (99.9999, 0), (99.9999, 49.9999), (0, 49.9999)];
        for (int i = 0; i < 4; i++)
        {
            Assert.True(warp.Source(corners[i].X, corners[i].Y, 50, 100, out double x, out double y));
            Assert.Equal(figure[i].X * 100, x, 1e-2);
            Assert.Equal(figure[i].Y * 50, y, 1e-2);
        }
    }

    [Theory]
    [InlineData(9, 0.0, 0.5)]
    [InlineData(11, 1.1, 0.2)]
    [InlineData(11, 4.0, 1.0)]
    public void A_blur_spreads_the_weight_along_its_line(int length, double angle, double front)
    {
        List<(int X, int Y, float Weight)> taps = PictureBlur.Line(length, angle, front);
        Assert.Equal(1, taps.Sum(tap => tap.Weight), 1e-5);
        double alongX = taps.Sum(tap => tap.Weight * tap.X), alongY = taps.Sum(tap => tap.Weight * tap.Y);
        double lean = (1 - 2 * front) * Enumerable.Range(0, length).Sum(i => (i / (length - 1.0) - 0.5) * (i - (length - 1) / 2.0)) / (length / 2.0);
        Assert.Equal(lean * Math.Cos(angle), alongX, 1e-4);
        Assert.Equal(lean * Math.Sin(angle), alongY, 1e-4);
        Assert.All(taps, tap => Assert.InRange(Math.Abs(tap.X * Math.Sin(angle) - tap.Y * Math.Cos(angle)), 0, 1.5));
    }

    [Fact]
    public void A_blur_keeps_even_ground()
    {
        Picture even = new(20, 30), blurred = new();
        even.Pixels.Fill(77);
        PictureBlur.Apply(even, 11, 0.7, 0.3, blurred);
        Assert.True(blurred.Pixels.IndexOfAnyExcept((byte)77) < 0);
    }

    [Fact]
    public void Colours_change_as_little_as_asked()
    {
        Picture picture = new(1, 3);
        byte[] colours = [200, 40, 40, 90, 90, 90, 10, 250, 120];
        colours.CopyTo(picture.Pixels);
        PictureMotion.ShiftHue(picture, 0);
        Assert.Equal(colours, picture.Pixels.ToArray());
        PictureMotion.ShiftHue(picture, 5);
        // Red turns towards yellow by 5/255 of the circle and becomes a little purer.
        Assert.Equal(200, picture.Pixels[0]);
        Assert.InRange(picture.Pixels[1], 50, 60);
        Assert.InRange(picture.Pixels[2], 34, 38);
        PictureMotion.Brighten(picture, 60);
        Assert.Equal(255, picture.Pixels[0]);
    }

    private static PictureClips Clips(PictureClipKind kind) => new(ReferDatasets.OpenAll(s_options, "train", ClipSets.Tokenizer, 22), 4, kind);

    private static ClipItem Load(IClipDataset dataset, ClipChoice choice) => new ClipLoader(dataset, 1, 0).Read([choice], dropLast: false).Single()[0];

    private static (Picture Picture, Mask Mask) Block(int rows, int columns)
    {
        Picture picture = new(rows, columns);
        Mask mask = new(rows, columns);
        picture.Pixels.Clear();
        for (int y = rows / 3; y < 2 * rows / 3; y++)
        {
            picture.Pixels.Slice(3 * (y * columns + columns / 3), columns).Fill(255);
            mask.Pixels.Slice(y * columns + columns / 3, columns / 3).Fill(1);
        }
        return (picture, mask);
    }
}
