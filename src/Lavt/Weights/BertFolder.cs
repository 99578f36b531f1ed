using System.Text.Json;
using Lavt.Models;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Weights;

/// <summary>BERT in a folder of Hugging Face's layout: <c>config.json</c> and <c>model.safetensors</c> or <c>pytorch_model.bin</c>.</summary>
public static class BertFolder
{
    /// <summary>The dimensions that <c>config.json</c> gives; what it leaves out is as in bert-base-uncased.</summary>
    /// <exception cref="WeightFileException">There is no such folder or file, or the file is broken.</exception>
    public static BertOptions ReadConfig(string folder)
    {
        string path = Path.Combine(folder, "config.json");
        if (!File.Exists(path)) throw new WeightFileException(path, Advice("does not exist"));
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            JsonElement config = document.RootElement;
            BertOptions standard = new();
            int Number(string key, int otherwise) => config.TryGetProperty(key, out JsonElement value) ? value.GetInt32() : otherwise;
            return new BertOptions
            {
                VocabularySize = Number("vocab_size", standard.VocabularySize),
                HiddenSize = Number("hidden_size", standard.HiddenSize),
                Layers = Number("num_hidden_layers", standard.Layers),
                Heads = Number("num_attention_heads", standard.Heads),
                IntermediateSize = Number("intermediate_size", standard.IntermediateSize),
                Positions = Number("max_position_embeddings", standard.Positions),
                TokenTypes = Number("type_vocab_size", standard.TokenTypes),
                Dropout = config.TryGetProperty("hidden_dropout_prob", out JsonElement dropout) ? dropout.GetDouble() : standard.Dropout,
                LayerNormEpsilon = config.TryGetProperty("layer_norm_eps", out JsonElement eps) ? eps.GetDouble() : standard.LayerNormEpsilon,
            };
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException or FormatException)
        {
            throw new WeightFileException(path, $"is no BERT configuration: {broken.Message}", broken);
        }
    }

    /// <summary>Loads the encoder's weights; keys with or without the prefix <c>bert.</c>, old names <c>gamma</c> and <c>beta</c> included.</summary>
    /// <exception cref="WeightFileException">There are no weights, or they do not fit.</exception>
    public static void Load(Bert bert, string folder)
    {
        string safetensors = Path.Combine(folder, "model.safetensors"), pickle = Path.Combine(folder, "pytorch_model.bin");
        string path = File.Exists(safetensors) ? safetensors : pickle;
        if (!File.Exists(path)) throw new WeightFileException(pickle, Advice("does not exist, nor does model.safetensors"));
        Dictionary<string, Tensor> renamed = [];
        foreach ((string key, Tensor value) in Read(path))
        {
            // A whole BertFor… model has its encoder under "bert." and heads beside it.
            string name = key.StartsWith("bert.", StringComparison.Ordinal) ? key["bert.".Length..] : key;
            if (!name.StartsWith("embeddings.", StringComparison.Ordinal) && !name.StartsWith("encoder.", StringComparison.Ordinal)) continue;
            name = name.Replace("LayerNorm.gamma", "LayerNorm.weight", StringComparison.Ordinal).Replace("LayerNorm.beta", "LayerNorm.bias", StringComparison.Ordinal);
            renamed[name] = value;
        }
        StateLoader.Load(bert, renamed, path).ThrowUnlessComplete("give the folder of the BERT that config.json describes");
    }

    private static IReadOnlyDictionary<string, Tensor> Read(string path)
    {
        if (path.EndsWith(".safetensors", StringComparison.Ordinal)) return SafetensorsFile.ReadAll(path);
        return PthFile.Read(path) is PickleDict tree
            ? LavtCheckpoint.Tensors(tree)
            : throw new WeightFileException(path, "holds no dictionary of tensors");
    }

    private static string Advice(string problem) =>
        $"{problem}; --ck_bert takes a local folder of bert-base-uncased with config.json and model.safetensors or pytorch_model.bin (nothing is downloaded)";
}
