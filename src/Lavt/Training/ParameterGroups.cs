using System.Globalization;
using Lavt.Autograd;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Training;

/// <summary>What is trained, and with which weight decay: the groups of the published code.</summary>
public static class ParameterGroups
{
    private static readonly string[] Undecayed = ["norm", "absolute_pos_embed", "relative_position_bias_table"];

    /// <summary>
    /// The groups: the backbone's parameters whose names contain <c>norm</c>, <c>absolute_pos_embed</c> or
    /// <c>relative_position_bias_table</c> without decay, the rest of the backbone, the decoder, and BERT's parts by
    /// <c>--lang_enc_params</c>. Everything else of BERT stays as it is.
    /// </summary>
    public static IReadOnlyList<ParameterGroup> Of(LavtModel model, TrainedLanguage language, double weightDecay)
    {
        (string Name, Tensor Value)[] backbone = [.. Named(model.Backbone, "backbone.")];
        (string Name, Tensor Value)[] text = [.. Named(model.TextEncoder, "text_encoder.")];
        List<ParameterGroup> groups =
        [
            new("backbone without decay", [.. backbone.Where(p => !Decays(p.Name))], 0),
            new("backbone", [.. backbone.Where(p => Decays(p.Name))], weightDecay),
            new("decoder", [.. Named(model.Decoder, "classifier.")], weightDecay),
        ];
        if (language is TrainedLanguage.EmbeddingsEncoder10 or TrainedLanguage.EmbeddingsEncoderAll)
            groups.Add(new("embeddings", [.. text.Where(p => p.Name.StartsWith("text_encoder.embeddings.", StringComparison.Ordinal))], weightDecay));
        int layers = language is TrainedLanguage.EncoderAll or TrainedLanguage.EmbeddingsEncoderAll ? int.MaxValue : 10;
        groups.Add(new("encoder", [.. text.Where(p => Layer(p.Name) is { } layer && layer < layers)], weightDecay));
        return groups;
    }

    /// <summary>Stops the gradients of all parameters that no group trains, so that nothing is computed for them.</summary>
    public static void Freeze(LavtModel model, AdamW optimizer)
    {
        HashSet<Tensor> trained = [.. optimizer.Parameters.Select(p => p.Value)];
        foreach ((_, Tensor parameter) in model.Parameters().Concat(model.TextEncoder.Parameters()))
            if (!trained.Contains(parameter)) parameter.StopGradient();
    }

    private static IEnumerable<(string Name, Tensor Value)> Named(Module module, string prefix) =>
        module.State(prefix).Where(e => e.IsParameter).Select(e => (e.Name, e.Value));

    private static bool Decays(string name) => !Undecayed.Any(part => name["backbone.".Length..].Contains(part, StringComparison.Ordinal));

    /// <summary>The number of the encoder layer that a parameter belongs to; null for the embeddings.</summary>
    private static int? Layer(string name)
    {
        const string Prefix = "text_encoder.encoder.layer.";
        return name.StartsWith(Prefix, StringComparison.Ordinal)
            ? int.Parse(name.AsSpan(Prefix.Length, name.IndexOf('.', Prefix.Length) - Prefix.Length), CultureInfo.InvariantCulture)
            : null;
    }
}
