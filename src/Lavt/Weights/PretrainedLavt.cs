using Lavt.Models;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Weights;

/// <summary>Starts a video model from the weights of a whole LAVT: of pictures, or of clips.</summary>
public static class PretrainedLavt
{
    /// <summary>
    /// Loads what <c>--pretrained2d_lavt_weights</c>, <c>--pretrained2d_lavt_weights_for_a_3d_model</c> or
    /// <c>--pretrained_video_lavt_weights_on_refcocos</c> name, if one is given.
    /// </summary>
    /// <exception cref="OptionException">More than one is given.</exception>
    /// <exception cref="WeightFileException">The file is broken, or does not fit the model.</exception>
    public static void Load(LavtModel model, WeightOptions weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        (string Flag, string File)[] given = [.. new[]
        {
            ("--pretrained2d_lavt_weights", weights.PretrainedImageLavt),
            ("--pretrained2d_lavt_weights_for_a_3d_model", weights.PretrainedImageLavtWithoutFusion),
            ("--pretrained_video_lavt_weights_on_refcocos", weights.PretrainedVideoLavt),
        }.Where(entry => entry.Item2.Length > 0)];
        if (given.Length > 1)
            throw new OptionException(given[1].Flag, $"cannot be combined with {given[0].Flag}; give one of them");
        if (given.Length == 0) return;
        using LavtCheckpoint checkpoint = LavtCheckpoint.Read(given[0].File);
        if (given[0].File == weights.PretrainedVideoLavt) FromClips(model, checkpoint, weights.NotStrict);
        else FromPictures(model, checkpoint, withFusion: given[0].File == weights.PretrainedImageLavt);
    }

    /// <summary>
    /// A picture model's weights in a video model: the patch kernel gets a time axis, bias tables are resized and repeated over
    /// time. Fusion modules and gates that the file lacks keep their initial values.
    /// </summary>
    /// <param name="model">The video model.</param>
    /// <param name="checkpoint">A checkpoint of <c>lavt</c> or <c>lavt_one</c>.</param>
    /// <param name="withFusion">Whether the fusion modules' weights are taken over where they fit.</param>
    /// <exception cref="WeightFileException">The file does not fit the model.</exception>
    public static LoadReport FromPictures(LavtModel model, LavtCheckpoint checkpoint, bool withFusion)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        Dictionary<string, Tensor> state = checkpoint.Model.Where(e => withFusion || !IsFusion(e.Key)).ToDictionary(e => e.Key, e => e.Value);
        // With --model lavt the text encoder stands beside the model.
        foreach ((string key, Tensor value) in checkpoint.Bert ?? new Dictionary<string, Tensor>()) state[$"text_encoder.{key}"] = value;
        Inflation.FitTo(model.Backbone, state, "backbone.");
        LoadReport report = StateLoader.Load(model, state, checkpoint.File);
        LoadReport needed = report with { Missing = [.. report.Missing.Where(key => !IsFusion(key) && !IsGate(key))], Unexpected = [.. report.Unexpected.Where(key => !IsFusion(key) && !IsGate(key))] };
        return needed.ThrowUnlessComplete(withFusion
            ? "give a picture LAVT of the same size; where its fusion has other shapes, load it without: --pretrained2d_lavt_weights_for_a_3d_model"
            : "give a picture LAVT of the same size");
    }

    private static void FromClips(LavtModel model, LavtCheckpoint checkpoint, bool notStrict)
    {
        LoadReport report = StateLoader.Load(model, checkpoint.Model, checkpoint.File);
        if (notStrict) report = report with { Missing = [], Unexpected = [] };
        report.ThrowUnlessComplete("give a video LAVT with the same flags, or --ckpt to load what there is");
    }

    private static bool IsFusion(string key) => key.Contains(".fusion.", StringComparison.Ordinal);

    private static bool IsGate(string key) => key.Contains(".res_gate.", StringComparison.Ordinal);
}
