using System.Globalization;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Weights;

/// <summary>
/// Finds out from a checkpoint which model it is of: sizes from the shapes of its tensors, options from the keys that are
/// there, and what neither tells (head counts of PWAM, activations) from <c>args</c>.
/// </summary>
public static class ModelInference
{
    private const string Stage = "backbone.layers.";
    private const string Attention0 = Stage + "0.blocks.0.attn.";
    private const string Fusion0 = Stage + "0.fusion.";
    private const string PatchKernel = "backbone.patch_embed.proj.weight";
    private const string BiasTable = "relative_position_bias_table";

    /// <summary>The options of the model whose weights a checkpoint holds.</summary>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="options">What the command line says; it decides what the weights leave open.</param>
    /// <param name="given">The flags that the user gave; one that contradicts the weights is an error.</param>
    /// <exception cref="WeightFileException">The file holds no LAVT model, or contradicts a given flag.</exception>
    public static ModelOptions Infer(LavtCheckpoint checkpoint, ModelOptions options, IReadOnlySet<string> given)
    {
        IReadOnlyDictionary<string, Tensor> state = checkpoint.Model;
        if (!state.ContainsKey(Attention0 + BiasTable) || !state.ContainsKey("classifier.conv1_4.weight"))
            throw new WeightFileException(checkpoint.File, $"holds no LAVT model: there is no {Attention0}{BiasTable} or no classifier.conv1_4.weight; {(state.Count == 0 ? "it holds no tensor at all" : $"keys start with {string.Join(", ", state.Keys.Take(3))}")}");

        ModelKind kind = ShapeOf(state, PatchKernel, 4, checkpoint.File).Rank == 5 ? ModelKind.LavtVideo
            : state.Keys.Any(k => k.StartsWith("text_encoder.", StringComparison.Ordinal)) ? ModelKind.LavtOne : ModelKind.Lavt;
        ModelOptions inferred = FromArgs(checkpoint, options, given) with { Model = kind };
        inferred = WithBackbone(inferred, state, checkpoint.File) with
        {
            Video = FusionOf(state, inferred),
            Fuse = state.Keys.Any(k => k.StartsWith(Fusion0, StringComparison.Ordinal) && k.EndsWith("image_lang_att.project.0.weight", StringComparison.Ordinal)) ? FuseKind.Simple : FuseKind.Attention,
            UseCheckpoint = kind == ModelKind.LavtVideo ? LacksLastGate(state) : inferred.UseCheckpoint,
            Version = state.ContainsKey(Stage + "0.res_gate.0.weight") ? GateVersion.Default : inferred.Version == GateVersion.Default ? GateVersion.None : inferred.Version,
            LazyPrediction = !state.ContainsKey("backbone.norm0.weight"),
            AttentionNorm = Norm(state, inferred.AttentionNorm),
            InterpolateBeforeSegmentation = state.ContainsKey("classifier.conv2_1.weight"),
            SegmentLast = state.ContainsKey("classifier.conv1_0.weight"),
            Bert = BertFrom(checkpoint, inferred.Bert),
        };
        Contradictions(checkpoint.File, options, inferred, given);
        return inferred;
    }

    /// <summary>
    /// What the weights decided although the command line says nothing of it or its default: flags as one would type them.
    /// Numbers of BERT and sizes that follow from others are left out.
    /// </summary>
    /// <param name="asked">The command line's model.</param>
    /// <param name="found">The result of <see cref="Infer"/>.</param>
    public static IReadOnlyList<string> Found(ModelOptions asked, ModelOptions found)
    {
        List<string> flags = [];
        foreach (Flag<ModelOptions> flag in ModelFlags.Table.Where(f => f.NoEffect is null && !f.Name.StartsWith("--bert", StringComparison.Ordinal)))
        {
            object? value = flag.Get(found);
            if (Equals(value, flag.Get(asked)) || value is null or "") continue;
            flags.Add(flag.IsSwitch ? value is true ? flag.Name : $"no {flag.Name}" : string.Create(CultureInfo.InvariantCulture, $"{flag.Name} {value}"));
        }
        return flags;
    }

    private static ModelOptions FromArgs(LavtCheckpoint checkpoint, ModelOptions options, IReadOnlySet<string> given)
    {
        try
        {
            return ModelFlags.Table.FromArgs(key => checkpoint.Args is { } args && args.TryGetValue(key, out object? value) ? value : null, options, given);
        }
        catch (OptionException wrong)
        {
            throw new WeightFileException(checkpoint.File, $"its args cannot be read: {wrong.Message}", wrong);
        }
    }

    /// <summary>The shape of a tensor that every LAVT has.</summary>
    /// <exception cref="WeightFileException">There is none, or it has fewer axes or no numbers.</exception>
    private static Shape ShapeOf(IReadOnlyDictionary<string, Tensor> state, string key, int leastRank, string file)
    {
        if (!state.TryGetValue(key, out Tensor? tensor))
            throw new WeightFileException(file, $"holds no whole LAVT model: {key} is missing; get the file again, or give another");
        return tensor.Rank >= leastRank && tensor.Count > 0
            ? tensor.Shape
            : throw new WeightFileException(file, $"{key} has the shape {tensor.Shape}, in a LAVT model it has {leastRank} axes with numbers; get the file again, or give another");
    }

    private static ModelOptions WithBackbone(ModelOptions options, IReadOnlyDictionary<string, Tensor> state, string file)
    {
        int frames = options.Model == ModelKind.LavtVideo ? ModelOptions.FramesOfWindow : 1, rows = ShapeOf(state, Attention0 + BiasTable, 2, file)[0];
        if (BiasTables.WindowOf(rows, frames) is not { } found || found.Frames != frames)
            throw new WeightFileException(file, $"a relative position bias table of {rows} rows belongs to no window of {frames} frame{(frames > 1 ? "s" : "")}");
        int window = found.Height;
        int embedDim = ShapeOf(state, PatchKernel, 4, file)[0];
        int[] depths = new int[PerStage.Count], heads = new int[PerStage.Count];
        for (int i = 0; i < PerStage.Count; i++)
        {
            while (state.ContainsKey($"{Stage}{i}.blocks.{depths[i]}.norm1.weight")) depths[i]++;
            heads[i] = ShapeOf(state, $"{Stage}{i}.blocks.0.attn.{BiasTable}", 2, file)[1];
            if (heads[i] == 0 || (embedDim << i) % heads[i] != 0)
                throw new WeightFileException(file, $"its bias tables are of {heads[i]} heads in stage {i + 1}, which do not divide {embedDim << i} channels; get the file again, or give another");
        }
        PerStage depth = new(depths[0], depths[1], depths[2], depths[3]), head = new(heads[0], heads[1], heads[2], heads[3]);
        foreach (SwinType type in Enum.GetValues<SwinType>())
        {
            ModelOptions named = options with { SwinType = type, EmbedDim = null, Depths = null, Heads = null, Window = window };
            SwinSize size = named.Backbone;
            if (size.EmbedDim == embedDim && size.Depths == depth && size.Heads == head) return named;
        }
        return options with { EmbedDim = embedDim, Depths = depth, Heads = head, Window = window };
    }

    private static VideoFusionOptions FusionOf(IReadOnlyDictionary<string, Tensor> state, ModelOptions described)
    {
        FusionInference fusion = new(state, Fusion0, described.Video);
        VideoFusionOptions found = fusion.Options();
        bool isOfPictures = described.Model != ModelKind.LavtVideo;
        return found with
        {
            ImageBackbone = isOfPictures && found.ImageBackbone && !fusion.IsOfClips,
            // A plain PWAM is the same for frames and for clips; then the arguments decide.
            ImageBackboneVideoPwam = isOfPictures && (fusion.IsOfClips || found.ImageBackboneVideoPwam),
        };
    }

    private static bool LacksLastGate(IReadOnlyDictionary<string, Tensor> state)
    {
        const string Gate = "res_gate.0.weight";
        return state.ContainsKey($"{Stage}0.{Gate}") && !state.ContainsKey($"{Stage}{PerStage.Count - 1}.{Gate}");
    }

    private static AttentionNorm Norm(IReadOnlyDictionary<string, Tensor> state, AttentionNorm otherwise)
    {
        string[] keys = [.. state.Keys.Where(k => k.StartsWith(Fusion0, StringComparison.Ordinal) && k.Contains("f_query", StringComparison.Ordinal))];
        if (keys.Any(k => k.EndsWith(".1.running_mean", StringComparison.Ordinal))) return AttentionNorm.Batch;
        if (keys.Any(k => k.EndsWith(".1.weight", StringComparison.Ordinal))) return AttentionNorm.Layer;
        // Instance norm and no norm leave no trace in the weights.
        return otherwise is AttentionNorm.Batch or AttentionNorm.Layer ? AttentionNorm.Instance : otherwise;
    }

    private static BertOptions BertFrom(LavtCheckpoint checkpoint, BertOptions bert)
    {
        Dictionary<string, Tensor> text = checkpoint.Model
            .Where(e => e.Key.StartsWith("text_encoder.", StringComparison.Ordinal))
            .ToDictionary(e => e.Key["text_encoder.".Length..], e => e.Value);
        IReadOnlyDictionary<string, Tensor> state = text.Count > 0 ? text : checkpoint.Bert ?? text;
        if (!state.ContainsKey("embeddings.word_embeddings.weight")) return bert;
        Shape words = Matrix("embeddings.word_embeddings");
        int layers = 0;
        while (state.ContainsKey($"encoder.layer.{layers}.attention.self.query.weight")) layers++;
        return bert with
        {
            VocabularySize = words[0],
            HiddenSize = words[1],
            Layers = layers,
            IntermediateSize = layers > 0 ? Matrix("encoder.layer.0.intermediate.dense")[0] : bert.IntermediateSize,
            Positions = Matrix("embeddings.position_embeddings")[0],
            TokenTypes = Matrix("embeddings.token_type_embeddings")[0],
        };

        Shape Matrix(string name) => ShapeOf(state, $"{name}.weight", 2, checkpoint.File);
    }

    private static void Contradictions(string file, ModelOptions asked, ModelOptions inferred, IReadOnlySet<string> given)
    {
        List<string> lines = [];
        foreach (Flag<ModelOptions> flag in ModelFlags.Table)
        {
            if (!given.Contains(flag.Name) || flag.NoEffect is not null) continue;
            (object? wanted, object? found) = (flag.Get(asked), flag.Get(inferred));
            if (!Equals(wanted, found)) lines.Add($"  {flag.Name}: the command line says {wanted ?? "nothing"}, the weights say {found ?? "nothing"}");
        }
        if (lines.Count > 0)
            throw new WeightFileException(file, $"flags contradict the weights; leave them out (they are read from the file) or give another file\n{string.Join("\n", lines)}");
    }
}
