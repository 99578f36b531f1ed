using System.Globalization;
using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>Checks single modules: results, gradients of inputs and parameters, batch-norm buffers.</summary>
internal static class ModuleChecks
{
    private static readonly int[] ToChannelsLast = [0, 2, 3, 1];
    private static readonly int[] ToChannelsFirst = [0, 3, 1, 2];

    /// <summary>Checks one file of the folder <c>modules</c>.</summary>
    public static void Run(GoldenFile file, GoldenReport report, GoldenPlace place)
    {
        using MemoryScope scope = MemoryScope.Begin();
        string module = file["module"];
        RandomSource random = new(0);
        if (module.StartsWith("Swin block", StringComparison.Ordinal)) SwinBlockCheck(file, report, place, random);
        else if (module.StartsWith("patch embedding", StringComparison.Ordinal)) PatchEmbeddingCheck(file, report, place, random);
        else if (module.StartsWith("patch merging", StringComparison.Ordinal)) PatchMergingCheck(file, report, place, random);
        else if (module.Contains("PWAM", StringComparison.Ordinal)) PwamCheck(file, report, place, random);
        else if (module == "mask decoder") DecoderCheck(file, report, place, random);
        else if (module.StartsWith("BERT encoder", StringComparison.Ordinal)) BertCheck(file, report, place, random);
        else if (module.StartsWith("--loss ", StringComparison.Ordinal)) LossCheck.Run(file, report, place.Device);
        else report.Skip(file.Name, $"'{module}' is not a part of this build");
    }

    private static void SwinBlockCheck(GoldenFile file, GoldenReport report, GoldenPlace place, RandomSource random)
    {
        Shape x = file.InputShape("x");
        bool isOfClips = x.Rank == 5;
        Volume window = isOfClips ? Volumes(file["window"]) : Volume.Picture(file.Int("window"), file.Int("window"));
        Volume shift = isOfClips ? Volumes(file["shift"]) : new Volume(0, file.Int("shift"), file.Int("shift"));
        Volume map = isOfClips ? new(x[1], x[2], x[3]) : Volume.Picture(file.Int("height"), file.Int("width"));
        SwinBlock block = new(file.Int("dim"), file.Int("heads"), window, shift, Ops.RelativePositions(window), 0, random);
        Compare(file, report, place, block, ["x"], [null],
            leaves => Ops.Reshape(block.Forward(Ops.Reshape(leaves[0], [x[0], map.Count, x[-1]]), map), x), null);
    }

    private static void PatchEmbeddingCheck(GoldenFile file, GoldenReport report, GoldenPlace place, RandomSource random)
    {
        bool isOfClips = file.InputShape("x").Rank == 5;
        PatchEmbedding embedding = new(file.Int("embed_dim"), isOfClips, random);
        if (isOfClips) Compare(file, report, place, embedding, ["x"], [[0, 2, 1, 3, 4]], leaves => embedding.Forward(leaves[0]).AsClips(), [0, 4, 1, 2, 3]);
        else Compare(file, report, place, embedding, ["x"], [null], leaves => embedding.Forward(leaves[0]).AsFrames(), ToChannelsFirst);
    }

    private static void PatchMergingCheck(GoldenFile file, GoldenReport report, GoldenPlace place, RandomSource random)
    {
        PatchMerging merging = new(file.Int("dim"), random);
        Shape x = file.InputShape("x"), expected = file.Read("output.0").Shape;
        bool isOfClips = x.Rank == 5;
        Shape frames = isOfClips ? [x[0] * x[1], x[2] * x[3], x[4]] : x;
        (int height, int width) = isOfClips ? (x[2], x[3]) : (file.Int("height"), file.Int("width"));
        Compare(file, report, place, merging, ["x"], [null], leaves => Ops.Reshape(merging.Forward(Ops.Reshape(leaves[0], frames), height, width), expected), null);
    }

    private static void PwamCheck(GoldenFile file, GoldenReport report, GoldenPlace place, RandomSource random)
    {
        Shape x = file.InputShape("x"), words = file.InputShape("l_mask"), language = file.InputShape("l");
        ModelOptions options = ModelOptions.Parse(CommandOf(file));
        Volume map = x.Rank == 5 ? new(x[1], x[2], x[3]) : Volume.Picture(1, x[1]);
        int heads = file.Has("heads") ? file.Int("heads") : options.FusionHeads[0];
        Pwam pwam = new(options, x[-1], language[1], heads, random);
        Tensor mask = Ops.To(Masks.FirstWords(words[0], words[1], file), place.Device);
        Compare(file, report, place, pwam, ["x", "l"], [null, [0, 2, 1]],
            leaves => pwam.Forward(pwam.Visuals(new FeatureMap(Ops.Reshape(leaves[0], [x[0], map.Count, x[-1]]), map)), leaves[1], mask), null);
    }

    /// <summary>The flags that a PWAM's file names, as a command line.</summary>
    private static string CommandOf(GoldenFile file)
    {
        const string With = "PWAM with ", Gates = " and all four tanh gates";
        if (!file.Has("flags")) return file["module"].StartsWith(With, StringComparison.Ordinal) ? file["module"][With.Length..] : "";
        string gates = string.Join(' ', new[] { "s", "t" }.SelectMany(branch => new[] { "q", "v" }, (branch, of) => $"--{branch}_tanh_plus_1_gate_1_{of}"));
        return "--model lavt_video " + file["flags"].Replace(Gates, " " + gates, StringComparison.Ordinal);
    }

    private static Volume Volumes(string text)
    {
        int[] extents = [.. text.Split(',').Select(e => int.Parse(e, CultureInfo.InvariantCulture))];
        return new Volume(extents[0], extents[1], extents[2]);
    }

    private static void DecoderCheck(GoldenFile file, GoldenReport report, GoldenPlace place, RandomSource random)
    {
        string options = file["options"];
        bool lazy = options.Contains("lazy", StringComparison.Ordinal), last = options.Contains("seg_last", StringComparison.Ordinal);
        bool interpolate = last || options.Contains("interpolate", StringComparison.Ordinal);
        MaskDecoder decoder = new(file.Int("c4_dims"), lazy, interpolate, last, random);
        decoder.SetTraining(!file["mode"].StartsWith("evaluation", StringComparison.Ordinal));
        string[] inputs = lazy ? ["x_c4", "x_c3", "x_c2"] : ["x_c4", "x_c3", "x_c2", "x_c1"];
        int[]?[] layouts = [.. inputs.Select(_ => ToChannelsLast)];
        Compare(file, report, place, decoder, inputs, layouts, leaves => decoder.Forward(lazy ? null : leaves[3], leaves[2], leaves[1], leaves[0]), ToChannelsFirst);
    }

    private static void BertCheck(GoldenFile file, GoldenReport report, GoldenPlace place, RandomSource random)
    {
        BertOptions options = new()
        {
            VocabularySize = file.Int("vocab"),
            HiddenSize = file.Int("hidden"),
            Layers = file.Int("layers"),
            Heads = file.Int("heads"),
            IntermediateSize = file.Int("intermediate"),
            Positions = file.Int("positions"),
            LayerNormEpsilon = file.Double("layer_norm_eps"),
        };
        Bert bert = new(options, random);
        Shape shape = file.InputShape("ids");
        Tensor mask = Ops.To(Masks.FirstWords(shape[0], shape[1], file), place.Device);
        Tensor ids = Ops.To(Deterministic.Integers("input.ids", shape, 0, options.VocabularySize), place.Device);
        Compare(file, report, place, bert, [], [], _ => bert.Forward(ids, mask), null);
    }

    /// <summary>Runs a module forwards and backwards and compares everything that the file holds.</summary>
    /// <param name="file">The golden file.</param>
    /// <param name="report">Where the results go.</param>
    /// <param name="place">Where the module computes.</param>
    /// <param name="module">The module, whose parameters are set here.</param>
    /// <param name="inputs">The names of the inputs that have gradients.</param>
    /// <param name="layouts">For each input the order of PyTorch's axes in our layout; null: the same.</param>
    /// <param name="forward">Computes the result from the inputs.</param>
    /// <param name="outputLayout">The order of our result's axes in PyTorch's layout; null: the same.</param>
    private static void Compare(GoldenFile file, GoldenReport report, GoldenPlace place, Module module, string[] inputs, int[]?[] layouts, Func<Tensor[], Tensor> forward, int[]? outputLayout)
    {
        file.SetParameters(module, report);
        module.MoveTo(place.Device);
        module.UseProducts(place.Products);
        using Tape tape = Tape.Begin();
        Tensor[] leaves = [.. inputs.Select((name, i) => Ops.To(Permuted(file.Input(name), layouts[i]), place.Device).RequireGradient())];
        Tensor output = forward(leaves);
        if (outputLayout is not null) output = Ops.Permute(output, outputLayout);
        Tensor expected = file.Read("output.0");
        report.Compare(file.Name, "output.0", output, expected, file.Error("output.0"));
        tape.Backward(output, Ops.To(Deterministic.Uniform("output.0.gradient", expected.Shape), place.Device));

        Dictionary<string, Tensor> state = module.State().ToDictionary(e => e.Name, e => e.Value);
        foreach (string name in file.Tensors.Where(n => n != "output.0"))
        {
            Tensor? actual;
            if (name.StartsWith("gradient.parameter.", StringComparison.Ordinal)) actual = state.GetValueOrDefault(name["gradient.parameter.".Length..])?.Gradient();
            else if (name.StartsWith("buffer.", StringComparison.Ordinal)) actual = state.GetValueOrDefault(name["buffer.".Length..]);
            else actual = InputGradient(name["gradient.".Length..]);
            Tensor value = file.Read(name);
            if (actual is not null && actual.Count == 1) actual = actual.ViewAs(value.Shape);
            report.Compare(file.Name, name, actual, value, file.Error(name));
        }
        module.ClearGradients();
        foreach (Tensor leaf in leaves) leaf.ClearGradient();

        Tensor? InputGradient(string input)
        {
            int index = Array.IndexOf(inputs, input);
            if (index < 0 || leaves[index].Gradient() is not { } gradient) return null;
            if (layouts[index] is not { } layout) return gradient;
            int[] inverse = new int[layout.Length];
            for (int i = 0; i < layout.Length; i++) inverse[layout[i]] = i;
            return gradient.ViewPermuted(inverse);
        }
    }

    private static Tensor Permuted(Tensor tensor, int[]? axes) => axes is null ? tensor : tensor.ViewPermuted(axes).Copy();
}
