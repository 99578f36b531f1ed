using Lavt.Models;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Weights;

namespace Lavt.Evaluation;

/// <summary>A model with the weights of a checkpoint, in evaluation mode.</summary>
/// <param name="Model">The model.</param>
/// <param name="Options">The options, completed by what the checkpoint says.</param>
public sealed record TrainedModel(LavtModel Model, LavtOptions Options)
{
    /// <summary>The model's flags that the weights decided and the command line does not say, as one would type them.</summary>
    public required IReadOnlyList<string> FoundInWeights { get; init; }

    /// <summary>
    /// Loads the checkpoint that <c>--resume</c> names. Which model it is of is read from the file; the size of pictures and
    /// the vocabulary, too, unless the user gave them.
    /// </summary>
    /// <exception cref="OptionException">No checkpoint was named.</exception>
    /// <exception cref="WeightFileException">The file is broken, holds no LAVT, or contradicts a given flag.</exception>
    public static TrainedModel Load(LavtOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.Weights.Resume.Length == 0)
            throw new OptionException("--resume", "no checkpoint was given; name the file of the trained weights");
        // Each weight is read from the file when it is packed, and given back at once.
        using MemoryScope scope = MemoryScope.Begin();
        using LavtCheckpoint checkpoint = LavtCheckpoint.Open(Existing(options.Weights.Resume));
        ModelOptions asked = options.Model;
        options = options with
        {
            Model = ModelInference.Infer(checkpoint, asked, options.Given),
            Data = WithArgs(options.Data, checkpoint, options.Given),
        };
        var model = new LavtModel(options.Model, RandomSource.None);
        Fill(model, checkpoint, options.Weights);
        options.Machine.PrepareForInference(model);
        return new TrainedModel(model, options) { FoundInWeights = ModelInference.Found(asked, options.Model) };
    }

    /// <summary>The name of a weight file, if there is one.</summary>
    internal static string Existing(string file, string flag = "--resume") => File.Exists(file)
        ? file
        : throw new WeightFileException(file, $"{(Directory.Exists(file) ? "this is a folder" : "there is no such file")}; name a file that is there with {flag}");

    /// <summary>Copies a checkpoint's weights into a model, BERT's included.</summary>
    internal static void Fill(LavtModel model, LavtCheckpoint checkpoint, WeightOptions weights)
    {
        const string Advice = "give a checkpoint of this model, or --ckpt to load what fits";
        LoadReport report = StateLoader.Load(model, checkpoint.Model, checkpoint.File);
        if (!weights.NotStrict)
            report.ThrowUnlessComplete(Advice);
        if (model.Options.Model != ModelKind.Lavt)
            return;
        if (checkpoint.Bert is null)
            BertFolder.Load(model.TextEncoder, weights.Bert);
        else
            StateLoader.Load(model.TextEncoder, checkpoint.Bert, checkpoint.File).ThrowUnlessComplete(Advice);
    }

    private static DataOptions WithArgs(DataOptions data, LavtCheckpoint checkpoint, IReadOnlySet<string> given)
    {
        if (checkpoint.Args is not { } args)
            return data;
        if (!given.Contains("--img_size") && args.TryGet("img_size", out int size))
            data = data with { ImageSize = size };
        // The published default names a model on the internet, ours a folder: only a path that exists here is of use.
        if (!given.Contains("--bert_tokenizer") && args.TryGet<string>("bert_tokenizer", out string? tokenizer) && Path.Exists(tokenizer))
            data = data with { Tokenizer = tokenizer };
        return data;
    }
}
