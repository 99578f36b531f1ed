using Lavt.Autograd;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>
/// Bounds the memory of long clips and large batches in inference: what treats frames (or groups of frames, or entries of a
/// batch) apart is computed for a few at a time, with the same numbers as for all at once.
/// </summary>
internal static class FramePieces
{
    /// <summary>Frames that are computed together; as many as a window of the video models has.</summary>
    public const int Frames = 8;

    /// <summary>The results for all frames: those of <paramref name="piece"/>(first frame, frames) one after the other along the first axis.</summary>
    public static Tensor Concat(int frames, Func<int, int, Tensor> piece) => Concat(frames, Frames, piece);

    /// <summary>The same for entries of any kind, <paramref name="together"/> of them at a time.</summary>
    public static Tensor Concat(int entries, int together, Func<int, int, Tensor> piece)
    {
        // A tape holds what all entries need for the gradient in any case.
        if (entries <= together || Tape.Current is not null) return piece(0, entries);
        Tensor? whole = null;
        for (int start = 0; start < entries; start += together)
        {
            using MemoryScope scope = MemoryScope.Begin();
            int count = Math.Min(together, entries - start);
            Tensor part = piece(start, count);
            int rows = part.Shape[0] / count;
            whole ??= scope.Return(part.EmptyLike(part.Shape.With(0, entries * rows)));
            whole.ViewSlice(0, start * rows, count * rows).CopyFrom(part);
        }
        return whole!;
    }

    /// <summary>
    /// The frames that can meet in windows of <paramref name="window"/> frames, shifted by <paramref name="shift"/>: attention
    /// never joins two groups, for the mask parts what only the cyclic shift brings together. A window at the end of a clip
    /// may be longer than the frames that are left; padding fills it.
    /// </summary>
    public static IEnumerable<(int Start, int Count, int Window)> WindowGroups(int frames, int window, int shift)
    {
        int padded = (frames + window - 1) / window * window;
        if (shift > 0) yield return (0, shift, shift);
        for (int start = shift; start < frames; start += window)
            yield return (start, Math.Min(window, frames - start), Math.Min(window, padded - start));
    }
}
