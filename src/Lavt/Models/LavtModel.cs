using Lavt.Autograd;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>
/// LAVT (Yang et al., CVPR 2022): a picture and a sentence in, two classes per pixel out. With <c>--model lavt_one</c> the
/// text encoder is a part of the model's state (<c>text_encoder.*</c>); with <c>lavt</c> it stands beside it and has an
/// entry of its own in checkpoints.
/// </summary>
public sealed class LavtModel : Module
{
    /// <summary>A model with the published initial values.</summary>
    /// <param name="options">What to build.</param>
    /// <param name="random">Source of the initial values.</param>
    /// <exception cref="OptionException">The options describe a video model.</exception>
    public LavtModel(ModelOptions options, RandomSource random)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        if (options.Model == ModelKind.LavtVideo)
            throw new OptionException("--model", "lavt_video is not a part of this build; use lavt or lavt_one");
        Options = options;
        Backbone = Register("backbone", new SwinBackbone(options, random));
        Decoder = Register("classifier", new MaskDecoder(options.Backbone.Channels(PerStage.Count - 1), options.LazyPrediction, options.InterpolateBeforeSegmentation, options.SegmentLast, random));
        TextEncoder = new Bert(options.Bert, random);
        if (options.Model == ModelKind.LavtOne) Register("text_encoder", TextEncoder);
    }

    /// <summary>What the model was built from.</summary>
    public ModelOptions Options { get; }

    /// <summary>The vision backbone with its fusion modules.</summary>
    public SwinBackbone Backbone { get; }

    /// <summary>The mask decoder.</summary>
    public MaskDecoder Decoder { get; }

    /// <summary>BERT, a child module only with <c>lavt_one</c>.</summary>
    public Bert TextEncoder { get; }

    /// <summary>Logits [B, H, W, 2] of pictures [B, 3, H, W] and word features [B, L, 768] with their mask [B, L].</summary>
    public Tensor Forward(Tensor picture, Tensor language, Tensor mask)
    {
        using MemoryScope scope = MemoryScope.Begin();
        return scope.Return(Forward(Backbone.Prefix(picture), picture.Shape[2], picture.Shape[3], language, mask));
    }

    /// <summary>The same from the part that does not depend on the sentence, for several sentences about one picture.</summary>
    /// <param name="prefix">The result of <see cref="SwinBackbone.Prefix"/>, one entry per sentence.</param>
    /// <param name="height">Rows of the picture.</param>
    /// <param name="width">Columns of the picture.</param>
    /// <param name="language">Words [B, L, 768].</param>
    /// <param name="mask">1 for words, 0 for padding: [B, L].</param>
    public Tensor Forward(FeatureMap prefix, int height, int width, Tensor language, Tensor mask)
    {
        using MemoryScope scope = MemoryScope.Begin();
        return scope.Return(Ops.Bilinear(Decode(Backbone.Forward(prefix, language, mask)), height, width));
    }

    /// <summary>The decoder's logits, before they are resized to the picture.</summary>
    public Tensor Decode(FeatureMap?[] maps) =>
        Decoder.Forward(maps[0]?.AsMap(), maps[1]!.Value.AsMap(), maps[2]!.Value.AsMap(), maps[3]!.Value.AsMap());

    /// <inheritdoc/>
    public override void KeepForInferenceOnly(DType products = DType.F32)
    {
        base.KeepForInferenceOnly(products);
        if (Options.Model == ModelKind.Lavt) TextEncoder.KeepForInferenceOnly(products);
        HostAllocator.Trim();
    }

    /// <summary>Switches the model and its text encoder, wherever that is registered.</summary>
    public void SetMode(bool training)
    {
        SetTraining(training);
        TextEncoder.SetTraining(training);
    }
}
