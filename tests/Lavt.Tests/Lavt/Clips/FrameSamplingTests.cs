using Lavt.Data;
using Lavt.Data.Clips;
using Xunit;

namespace Lavt.Tests.Clips;

public class FrameSamplingTests
{
    [Theory]
    [InlineData(100, 8)]
    [InlineData(20, 8)]
    [InlineData(9, 8)]
    [InlineData(8, 8)]
    [InlineData(5, 8)]
    [InlineData(3, 8)]
    [InlineData(2, 8)]
    [InlineData(1, 8)]
    [InlineData(1, 1)]
    [InlineData(40, 1)]
    [InlineData(40, 2)]
    [InlineData(40, 3)]
    [InlineData(6, 16)]
    public void A_drawn_clip_has_its_frame_and_neighbours(int length, int count)
    {
        for (int frame = 0; frame < length; frame++)
        {
            for (ulong trial = 0; trial < 20; trial++)
            {
                int[] clip = Draw(frame, length, count, trial);
                Assert.Equal(clip.Order(), clip);
                Assert.Contains(frame, clip);
                Assert.All(clip, shown => Assert.InRange(shown, 0, length - 1));
                if (count >= 3 && frame > 0) Assert.Contains(clip, shown => shown < frame && frame - shown <= 3);
                if (count >= 3 && frame < length - 1) Assert.Contains(clip, shown => shown > frame && shown - frame <= 3);
                if (count == 2 && length > 1) Assert.Equal(2, clip.Distinct().Count());
            }
        }
    }

    [Fact]
    public void Frames_of_a_long_video_do_not_repeat_but_at_its_ends()
    {
        for (ulong trial = 0; trial < 200; trial++)
        {
            int[] inside = Draw(50, 100, 8, trial);
            // The frame behind may be drawn a second time, as in the published code.
            Assert.InRange(inside.Distinct().Count(), 7, 8);
            Assert.Equal(2, Draw(0, 100, 8, trial).Count(shown => shown == 0));
        }
    }

    [Fact]
    public void All_frames_of_a_long_video_are_drawn_in_the_end()
    {
        HashSet<int> seen = [];
        for (ulong trial = 0; trial < 400; trial++) seen.UnionWith(Draw(20, 40, 8, trial));
        Assert.Equal(40, seen.Count);
    }

    [Fact]
    public void A_video_that_is_much_too_short_goes_round()
    {
        int[] clip = Draw(1, 2, 16, 5);
        Assert.InRange(clip.Count(shown => shown == 0), 7, 9);
    }

    [Fact]
    public void The_same_numbers_give_the_same_clip()
    {
        Assert.Equal(Draw(7, 60, 8, 3), Draw(7, 60, 8, 3));
        Assert.NotEqual(Draw(7, 60, 8, 3), Draw(7, 60, 8, 4));
    }

    [Theory]
    [InlineData(10, 30, 8, "6 7 8 9 10 11 12 13")]
    [InlineData(10, 30, 5, "8 9 10 11 12")]
    [InlineData(1, 30, 8, "0 0 0 0 1 2 3 4")]
    [InlineData(29, 30, 8, "25 26 27 28 29 29 29 29")]
    [InlineData(0, 1, 4, "0 0 0 0")]
    [InlineData(4, 30, 1, "4")]
    public void A_window_repeats_the_ends(int frame, int length, int count, string expected)
    {
        int[] clip = new int[count];
        FrameSampling.Window(frame, length, clip);
        Assert.Equal(expected, string.Join(' ', clip));
    }

    private static int[] Draw(int frame, int length, int count, ulong seed)
    {
        int[] clip = new int[count];
        FrameSampling.Draw(frame, length, new RandomSequence(seed, 0), clip);
        return clip;
    }
}
