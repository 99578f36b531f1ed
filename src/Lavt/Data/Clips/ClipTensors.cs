using Lavt.Imaging;
using Lavt.Tensors;

namespace Lavt.Data.Clips;

/// <summary>The parts of a batch of clips as the tensors that models read. They are copies and belong to the open memory scope.</summary>
internal static class ClipTensors
{
    /// <summary>The frames of all clips, normalised: [B, T, 3, S, S].</summary>
    public static Tensor Frames(ClipBatch batch)
    {
        Tensor frames = Frames(batch[0], batch.Count);
        for (int i = 0; i < batch.Count; i++) PictureTransform.Normalise(batch[i].Frames, batch.Shape.Plane, Part(frames, i, batch.Count));
        return frames;
    }

    /// <summary>The frames of one clip, normalised: [1, T, 3, S, S].</summary>
    public static Tensor Frames(ClipItem clip)
    {
        Tensor frames = Frames(clip, 1);
        PictureTransform.Normalise(clip.Frames, clip.Shape.Plane, frames.Span<float>());
        return frames;
    }

    /// <summary>The masks of 0 and 1 (U8), those of one clip behind those of the other: [B * M, S, S].</summary>
    public static Tensor Masks(ClipBatch batch)
    {
        ClipShape shape = batch.Shape;
        Tensor masks = Tensor.Empty([batch.Count * shape.Masks, shape.Size, shape.Size], DType.U8);
        for (int i = 0; i < batch.Count; i++) batch[i].Masks.CopyTo(masks.Span<byte>()[(i * shape.MaskBytes)..]);
        return masks;
    }

    /// <summary>The rows of the model's output [B * T, …] that the masks belong to, where each clip has one mask: [B] (I64).</summary>
    public static Tensor AnnotatedRows(ClipBatch batch) =>
        Tensor.From<long>([.. Enumerable.Range(0, batch.Count).Select(i => (long)i * batch.Shape.Frames + batch[i].AnnotatedFrame)], [batch.Count]);

    /// <summary>The ids of the word pieces [B, L] (I64), and 1 for word pieces, 0 for padding [B, L].</summary>
    public static (Tensor Ids, Tensor Mask) Words(ClipBatch batch) => TokenTensors.Of([.. Enumerable.Range(0, batch.Count).Select(i => batch[i].Tokens)]);

    private static Tensor Frames(ClipItem first, int clips) => Tensor.Empty([clips, first.FrameCount, 3, first.Shape.Size, first.Shape.Size]);

    private static Span<float> Part(Tensor frames, int clip, int clips)
    {
        int length = checked((int)(frames.Count / clips));
        return frames.Span<float>().Slice(clip * length, length);
    }
}
