using System.IO.Compression;
using System.Text.Json;
using Lavt.Models;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Training;

namespace Lavt.Golden;

/// <summary>Checks state dicts (keys, shapes, types, order) and parameter groups.</summary>
internal static class ManifestChecks
{
    /// <summary>Checks <c>state_dicts.json.gz</c>: a list of [key, shape, type, kind] for each command line.</summary>
    public static void StateDicts(string path, GoldenReport report)
    {
        using JsonDocument document = Open(path);
        foreach (JsonProperty command in document.RootElement.EnumerateObject())
        {
            ModelOptions options = ModelOptions.Parse(command.Name);
            string[] expected = [.. command.Value.EnumerateArray().Select(e => $"{e[0]} [{string.Join(", ", e[1].EnumerateArray())}] {e[2]} {e[3]}")];
            string[] actual = [.. Build(options).State().Select(e => $"{e.Name} {e.Value.Shape} {TypeName(e.Value.DType)} {(e.IsParameter ? "parameter" : "buffer")}")];
            int same = expected.Zip(actual).TakeWhile(p => p.First == p.Second).Count();
            bool equal = same == expected.Length && same == actual.Length;
            report.Check(command.Name, "state dict", equal, equal ? $"{same} entries" : $"entry {same}: '{actual.ElementAtOrDefault(same)}', expected '{expected.ElementAtOrDefault(same)}'");
        }
    }

    /// <summary>Checks <c>parameter_groups_*.json.gz</c>: the names of each group.</summary>
    public static void Groups(string path, GoldenReport report)
    {
        using JsonDocument document = Open(path);
        LavtModel model = Build(ModelOptions.Parse("--model lavt_one --swin_type tiny"));
        string file = Path.GetFileName(path);
        Compare("encoder-10", TrainedLanguage.Encoder10, ["backbone_no_decay", "backbone_decay", "classifier", "encoder-10"]);
        Compare("encoder-all", TrainedLanguage.EncoderAll, ["backbone_no_decay", "backbone_decay", "classifier", "encoder-all"]);
        Compare("embeddings+encoder-10", TrainedLanguage.EmbeddingsEncoder10, ["backbone_no_decay", "backbone_decay", "classifier", "embeddings", "encoder-10"]);
        Compare("embeddings+encoder-all", TrainedLanguage.EmbeddingsEncoderAll, ["backbone_no_decay", "backbone_decay", "classifier", "embeddings", "encoder-all"]);

        void Compare(string flag, TrainedLanguage language, string[] keys)
        {
            string[] expected = [.. keys.Select(key => string.Join(" ", document.RootElement.GetProperty(key).EnumerateArray()))];
            string[] actual = [.. ParameterGroups.Of(model, language, 0.01).Select(g => string.Join(" ", g.Parameters.Select(p => p.Name)))];
            report.Check(file, flag, expected.SequenceEqual(actual), $"{actual.Length} groups");
        }
    }

    private static LavtModel Build(ModelOptions options) =>
        new(options.Model == ModelKind.Lavt ? options with { Bert = options.Bert with { Layers = 0, VocabularySize = 1 } } : options, RandomSource.None);

    private static string TypeName(DType dtype) => dtype == DType.I64 ? "int64" : "float32";

    private static JsonDocument Open(string path)
    {
        using GZipStream stream = new(File.OpenRead(path), CompressionMode.Decompress);
        return JsonDocument.Parse(stream);
    }
}
