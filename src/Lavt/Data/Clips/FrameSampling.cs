namespace Lavt.Data.Clips;

/// <summary>Which frames of a video make a clip.</summary>
/// <remarks>Source: the data sets of the published LAVT code for clips.</remarks>
internal static class FrameSampling
{
    private const int LocalReach = 3;

    /// <summary>
    /// A clip of training around a frame: that frame, one of the three before, one of the three behind, all others from
    /// outside of these. Frames repeat where the video is too short.
    /// </summary>
    /// <param name="frame">The frame that the clip must have.</param>
    /// <param name="length">The number of frames of the video.</param>
    /// <param name="random">What decides the others.</param>
    /// <param name="into">Gets the frames in the order of time.</param>
    public static void Draw(int frame, int length, RandomSequence random, Span<int> into)
    {
        int before = Math.Max(0, frame - 1 - random.Below(LocalReach)), after = Math.Min(length - 1, frame + 1 + random.Below(LocalReach));
        List<int> frames = [frame, after > frame ? after : before, after > frame ? before : after];
        if (into.Length > frames.Count) frames.AddRange(Others(before, after, length, into.Length - frames.Count, random));
        frames.RemoveRange(into.Length, frames.Count - into.Length);
        frames.Sort();
        frames.CopyTo(into);
    }

    /// <summary>Successive frames around a frame; where the video ends, its last frame is repeated.</summary>
    /// <param name="frame">The frame in the middle.</param>
    /// <param name="length">The number of frames of the video.</param>
    /// <param name="into">Gets the frames in the order of time.</param>
    public static void Window(int frame, int length, Span<int> into)
    {
        int start = frame - into.Length / 2;
        for (int i = 0; i < into.Length; i++) into[i] = Math.Clamp(start + i, 0, length - 1);
    }

    private static IEnumerable<int> Others(int before, int after, int length, int count, RandomSequence random)
    {
        int[] outside = [.. Enumerable.Range(0, before), .. Enumerable.Range(after, length - after)];
        if (outside.Length > count) return random.Choose(outside, count);
        IEnumerable<int> all = Enumerable.Range(0, length);
        // A short video goes round as often as it takes.
        return Enumerable.Repeat(all, count / length).SelectMany(frames => frames).Concat(random.Choose(all, count % length));
    }
}
