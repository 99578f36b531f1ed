using Lavt.Autograd;
using Lavt.Models;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Evaluation;

/// <summary>Runs models on clips: a video model takes them as they are, a picture model takes each frame for a picture.</summary>
internal static class ClipModel
{
    /// <summary>Whether the model sees the frames of a clip together, so that the result of one depends on the others.</summary>
    public static bool SeesClips(ModelOptions options) => options.Model == ModelKind.LavtVideo;

    /// <summary>The part of the work that does not depend on the sentence.</summary>
    /// <param name="model">The model.</param>
    /// <param name="frames">[B, T, 3, S, S].</param>
    public static FeatureMap Prefix(LavtModel model, Tensor frames) => model.Backbone.Prefix(SeesClips(model.Options) ? frames : AsPictures(frames));

    /// <summary>Logits [B·T, S, S, 2].</summary>
    /// <param name="model">The model.</param>
    /// <param name="prefix">The result of <see cref="Prefix"/>.</param>
    /// <param name="frames">Frames of a clip, T.</param>
    /// <param name="size">Rows and columns of a frame, S.</param>
    /// <param name="language">Words [B, L, channels].</param>
    /// <param name="mask">1 for words, 0 for padding: [B, L].</param>
    public static Tensor Forward(LavtModel model, FeatureMap prefix, int frames, int size, Tensor language, Tensor mask)
    {
        using MemoryScope scope = MemoryScope.Begin();
        (language, mask) = ForFrames(model.Options, frames, language, mask);
        return scope.Return(model.Forward(prefix, size, size, language, mask));
    }

    /// <summary>Logits [B·T, S, S, 2] of frames [B, T, 3, S, S].</summary>
    public static Tensor Forward(LavtModel model, Tensor frames, Tensor language, Tensor mask)
    {
        using MemoryScope scope = MemoryScope.Begin();
        if (SeesClips(model.Options)) return scope.Return(model.Forward(frames, language, mask));
        (language, mask) = ForFrames(model.Options, frames.Shape[1], language, mask);
        return scope.Return(model.Forward(AsPictures(frames), language, mask));
    }

    /// <summary>The stages' maps [B·T, H, W, C], stage 1 first; null for a stage that gives none. Parameters as for <see cref="Forward(LavtModel, FeatureMap, int, int, Tensor, Tensor)"/>.</summary>
    public static Tensor?[] Features(LavtModel model, FeatureMap prefix, int frames, Tensor language, Tensor mask)
    {
        (language, mask) = ForFrames(model.Options, frames, language, mask);
        return [.. model.Backbone.Forward(prefix, language, mask).Select(map => map?.AsMap())];
    }

    /// <summary>The words of each clip; for a picture model once for each of its frames.</summary>
    private static (Tensor Language, Tensor Mask) ForFrames(ModelOptions options, int frames, Tensor language, Tensor mask)
    {
        if (SeesClips(options) || frames == 1) return (language, mask);
        Tensor rows = Tensor.Empty([language.Shape[0] * frames], DType.I64);
        for (int i = 0; i < rows.Count; i++) rows.Span<long>()[i] = i / frames;
        return (Ops.Gather(language, rows), Ops.Gather(mask, rows));
    }

    private static Tensor AsPictures(Tensor frames) => Ops.Reshape(frames, [frames.Shape[0] * frames.Shape[1], 3, frames.Shape[3], frames.Shape[4]]);
}
