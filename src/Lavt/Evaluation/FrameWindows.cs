namespace Lavt.Evaluation;

/// <summary>Frames of a video that go through a model together.</summary>
/// <typeparam name="T">A frame.</typeparam>
/// <param name="First">The place of the first frame in the video, from 0.</param>
/// <param name="Seen">How many of the frames an earlier window has had; their results stand.</param>
/// <param name="Frames">The frames in the order of time.</param>
internal readonly record struct FrameWindow<T>(int First, int Seen, IReadOnlyList<T> Frames);

/// <summary>Cuts videos into windows.</summary>
internal static class FrameWindows
{
    /// <summary>
    /// Windows one behind the other; the last one reaches back to be as long as the others. No more frames than those of two
    /// windows are held.
    /// </summary>
    /// <typeparam name="T">A frame.</typeparam>
    /// <param name="frames">The frames of a video in the order of time.</param>
    /// <param name="length">Frames of a window; 0 for all in one.</param>
    public static IEnumerable<FrameWindow<T>> Cut<T>(IEnumerable<T> frames, int length)
    {
        List<T> before = [], window = [];
        int first = 0;
        foreach (T frame in frames)
        {
            if (window.Count == length && length > 0)
            {
                yield return new FrameWindow<T>(first, 0, window);
                first += length;
                (before, window) = (window, []);
            }
            window.Add(frame);
        }
        if (window.Count == 0) yield break;
        int back = before.Count > 0 ? length - window.Count : 0;
        yield return new FrameWindow<T>(first - back, back, [.. before.TakeLast(back), .. window]);
    }
}
