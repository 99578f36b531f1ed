using Lavt.Autograd;
using Lavt.Kernels.Cuda;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>
/// LAVT (Yang et al., CVPR 2022; for clips TPAMI 2024): a picture or clip and a sentence in, two classes per pixel out. With
/// <c>--model lavt_one</c> and <c>lavt_video</c> the text encoder is a part of the model's state (<c>text_encoder.*</c>); with
/// <c>lavt</c> it stands beside it and has an entry of its own in checkpoints.
/// </summary>
public sealed class LavtModel : Module
{
    /// <summary>A model with the published initial values.</summary>
    /// <param name="options">What to build.</param>
    /// <param name="random">Source of the initial values.</param>
    /// <exception cref="OptionException">The options contradict each other.</exception>
    public LavtModel(ModelOptions options, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        Options = options;
        Backbone = Register("backbone", new SwinBackbone(options, random));
        Decoder = Register("classifier", new MaskDecoder(options.Backbone.Channels(PerStage.Count - 1), options.LazyPrediction, options.InterpolateBeforeSegmentation, options.SegmentLast, random));
        TextEncoder = new Bert(options.Bert, random);
        if (options.Model != ModelKind.Lavt) Register("text_encoder", TextEncoder);
    }

    /// <summary>What the model was built from.</summary>
    public ModelOptions Options { get; }

    /// <summary>The vision backbone with its fusion modules.</summary>
    public SwinBackbone Backbone { get; }

    /// <summary>The mask decoder.</summary>
    public MaskDecoder Decoder { get; }

    /// <summary>BERT, a child module but for <c>lavt</c>.</summary>
    public Bert TextEncoder { get; }

    /// <summary>
    /// Logits [B·T, H, W, 2] of pictures [B, 3, H, W] (T = 1) or clips [B, T, 3, H, W] and word features [B, L, 768] with
    /// their mask [B, L].
    /// </summary>
    public Tensor Forward(Tensor frames, Tensor language, Tensor mask)
    {
        using MemoryScope scope = MemoryScope.Begin();
        return scope.Return(Forward(Prefix(frames), frames.Shape[-2], frames.Shape[-1], language, mask));
    }

    /// <summary>The part that does not depend on the sentence, for several sentences about one picture or clip.</summary>
    /// <param name="frames">Pictures [B, 3, H, W] or clips [B, T, 3, H, W]; picture models take a clip's frames one by one, but
    /// for those with <c>--ytvos_2d_swin_3d_pwam</c>.</param>
    public PwamVisuals Prefix(Tensor frames)
    {
        ArgumentNullException.ThrowIfNull(frames);
        if (frames.Rank == 5 && !Options.FusesClips)
            frames = Ops.Reshape(frames, [frames.Shape[0] * frames.Shape[1], frames.Shape[2], frames.Shape[3], frames.Shape[4]]);
        return Backbone.Prefix(Ops.To(frames, Device));
    }

    /// <summary>The same from <see cref="Prefix"/>.</summary>
    /// <param name="prefix">The result of <see cref="Prefix"/>, one entry per sentence (or per frame of the sentence's clip,
    /// where a picture model takes the frames one by one).</param>
    /// <param name="height">Rows of the frames.</param>
    /// <param name="width">Columns of the frames.</param>
    /// <param name="language">Words [B, L, 768].</param>
    /// <param name="mask">1 for words, 0 for padding: [B, L].</param>
    public Tensor Forward(PwamVisuals prefix, int height, int width, Tensor language, Tensor mask)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        ArgumentNullException.ThrowIfNull(language);
        ArgumentNullException.ThrowIfNull(mask);
        using MemoryScope scope = MemoryScope.Begin();
        int sentences = mask.Shape[0], repeats = prefix.Map.Tokens.Shape[0] / sentences;
        // One after the other, an entry's maps are still in the cache when the next layer reads them.
        int together = Device.IsCuda || Training ? sentences : 1;
        return scope.Return(FramePieces.Concat(sentences, together, (start, count) =>
        {
            if (count == sentences) return Decode(Features(prefix, language, mask), height, width);
            PwamVisuals part = prefix.With(tensor => tensor.ViewSlice(0, start * repeats, count * repeats));
            return Decode(Features(part, language.ViewSlice(0, start, count), mask.ViewSlice(0, start, count)), height, width);
        }));
    }

    /// <summary>The stages' maps that the decoder reads, stage 1 first; null for a stage that gives none. Parameters as for <see cref="Forward(PwamVisuals, int, int, Tensor, Tensor)"/>.</summary>
    public FeatureMap?[] Features(PwamVisuals prefix, Tensor language, Tensor mask)
    {
        ArgumentNullException.ThrowIfNull(prefix);
        ArgumentNullException.ThrowIfNull(mask);
        int repeats = prefix.Map.Tokens.Shape[0] / mask.Shape[0];
        return Backbone.Forward(prefix, ForEachFrame(Ops.To(language, Device), repeats), ForEachFrame(Ops.To(mask, Device), repeats));
    }

    /// <summary>The decoder's logits for the stages' maps, resized to the frames: [B·T, height, width, 2].</summary>
    public Tensor Decode(FeatureMap?[] maps, int height, int width)
    {
        Tensor?[] frames = [.. maps.Select(map => map?.AsFrames())];
        return FramePieces.Concat(frames[1]!.Shape[0], (start, count) =>
        {
            Tensor? Part(int stage) => frames[stage] is { } all && count < all.Shape[0] ? all.ViewSlice(0, start, count) : frames[stage];
            return Ops.Bilinear(Decoder.Forward(Part(0), Part(1)!, Part(2)!, Part(3)!), height, width);
        });
    }

    /// <inheritdoc/>
    public override void KeepForInferenceOnly(DType products = DType.F32)
    {
        base.KeepForInferenceOnly(products);
        if (Options.Model == ModelKind.Lavt) TextEncoder.KeepForInferenceOnly(products);
        HostAllocator.Trim();
    }

    /// <inheritdoc/>
    public override void MoveTo(Device device)
    {
        base.MoveTo(device);
        if (Options.Model == ModelKind.Lavt) TextEncoder.MoveTo(device);
        HostAllocator.Trim();
    }

    /// <inheritdoc/>
    public override void UseProducts(ProductPrecision precision)
    {
        base.UseProducts(precision);
        if (Options.Model == ModelKind.Lavt) TextEncoder.UseProducts(precision);
    }

    /// <summary>Switches the model and its text encoder, wherever that is registered.</summary>
    public void SetMode(bool training)
    {
        SetTraining(training);
        TextEncoder.SetTraining(training);
    }

    /// <summary>Each entry of the first axis <paramref name="times"/> times.</summary>
    private static Tensor ForEachFrame(Tensor x, int times)
    {
        if (times == 1) return x;
        int[] row = x.Shape.ToArray()[1..];
        Tensor repeated = Ops.Add(Ops.Reshape(x, new Shape([x.Shape[0], 1, .. row])), Tensor.Zeros(new Shape([1, times, .. row.Select(_ => 1)]), x.DType, x.Device));
        return Ops.Reshape(repeated, new Shape([x.Shape[0] * times, .. row]));
    }
}
