using System.Globalization;
using Lavt.Nn.Weights;
using Lavt.Tensors;

namespace Lavt.Weights;

/// <summary>
/// What a LAVT checkpoint holds: <c>model</c>, for <c>--model lavt</c> also <c>bert_model</c>, and, if it can be resumed,
/// <c>optimizer</c>, <c>lr_scheduler</c>, <c>epoch</c> and <c>args</c>; ours add <c>lavt</c> with the random state and the
/// best score.
/// </summary>
public sealed class LavtCheckpoint : IDisposable
{
    private const string SafetensorsSuffix = ".safetensors";
    private const string BertPrefix = "bert_model.";
    private const string ArgsPrefix = "args.";

    private readonly IDisposable _source;

    private LavtCheckpoint(string file, IDisposable source, IReadOnlyDictionary<string, Tensor> model, IReadOnlyDictionary<string, Tensor>? bert, PickleDict tree)
    {
        (File, _source, Model, Bert, Tree) = (file, source, model, bert, tree);
        Args = tree.TryGetValue("args", out object? args) ? PthFile.AsNamespace(args) : null;
    }

    /// <summary>The file's path.</summary>
    public string File { get; }

    /// <summary>The model's tensors.</summary>
    public IReadOnlyDictionary<string, Tensor> Model { get; }

    /// <summary>The tensors of the text encoder beside the model, if there is one.</summary>
    public IReadOnlyDictionary<string, Tensor>? Bert { get; }

    /// <summary>The command line that the model was trained with, if the file says.</summary>
    public PickleDict? Args { get; }

    /// <summary>Everything in the file.</summary>
    public PickleDict Tree { get; }

    /// <summary>Reads a <c>.pth</c> or <c>.safetensors</c> file with the numbers of all tensors.</summary>
    /// <param name="path">The file.</param>
    /// <param name="withOptimizer">Whether the optimizer's state is wanted; it is twice as large as the weights.</param>
    /// <exception cref="WeightFileException">The file is broken, or holds no model.</exception>
    public static LavtCheckpoint Read(string path, bool withOptimizer = false)
    {
        using LavtCheckpoint checkpoint = Open(path, withOptimizer);
        TensorTree.Load(new object?[] { checkpoint.Tree, checkpoint.Model.Values, checkpoint.Bert?.Values });
        return checkpoint;
    }

    /// <summary>
    /// Opens a <c>.pth</c> or <c>.safetensors</c> file. The numbers of a tensor are read when it is first used; damage there
    /// is reported then.
    /// </summary>
    /// <inheritdoc cref="Read"/>
    public static LavtCheckpoint Open(string path, bool withOptimizer = false)
    {
        bool isSafetensors = path.EndsWith(SafetensorsSuffix, StringComparison.OrdinalIgnoreCase);
        IDisposable file = isSafetensors ? SafetensorsFile.Open(path) : PthFile.Open(path, withOptimizer ? [] : ["optimizer"]);
        try
        {
            return file is PthFile pth ? FromPth(path, pth) : FromSafetensors(path, (SafetensorsFile)file);
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Closes the file; tensors whose numbers were not read cannot be used afterwards.</summary>
    public void Dispose() => _source.Dispose();

    /// <summary>
    /// Writes the weights and <c>args</c>, without an optimizer: as <c>.pth</c> with the keys <c>model</c>, <c>bert_model</c>
    /// and <c>args</c>, or, if the name ends so, as <c>.safetensors</c> with BERT's tensors behind <c>bert_model.</c> and the
    /// arguments in the metadata.
    /// </summary>
    /// <exception cref="IOException">The file cannot be written; one that was there is whole.</exception>
    public void WriteWeights(string path)
    {
        if (path.EndsWith(SafetensorsSuffix, StringComparison.OrdinalIgnoreCase))
        {
            IEnumerable<KeyValuePair<string, Tensor>> bert = (Bert ?? new Dictionary<string, Tensor>()).Select(e => KeyValuePair.Create(BertPrefix + e.Key, e.Value));
            IEnumerable<KeyValuePair<string, string>> args = (Args ?? []).Select(e => KeyValuePair.Create($"{ArgsPrefix}{e.Key}", string.Create(CultureInfo.InvariantCulture, $"{e.Value}")));
            SafetensorsFile.Write(path, [.. Model, .. bert], args);
            return;
        }
        PickleDict tree = new() { ["model"] = Model };
        if (Bert is not null) tree["bert_model"] = Bert;
        if (Args is not null) tree["args"] = Args;
        PthFile.Write(path, tree);
    }

    /// <summary>The tensors of a dictionary by key, without the prefix that PyTorch's data parallelism adds.</summary>
    internal static Dictionary<string, Tensor> Tensors(PickleDict state)
    {
        const string Parallel = "module.";
        Dictionary<string, Tensor> tensors = [];
        foreach ((object? key, object? value) in state)
            if (key is string name && value is Tensor tensor)
                tensors[name.StartsWith(Parallel, StringComparison.Ordinal) ? name[Parallel.Length..] : name] = tensor;
        return tensors;
    }

    private static LavtCheckpoint FromPth(string path, PthFile file)
    {
        if (file.Root is not PickleDict tree)
            throw new WeightFileException(path, "holds no dictionary; a LAVT checkpoint has the keys model, bert_model, optimizer, epoch, args");
        PickleDict model = tree.TryGet<PickleDict>("model", out PickleDict? inner) ? inner : tree;
        IReadOnlyDictionary<string, Tensor> state = Tensors(model);
        if (state.Count == 0)
            throw new WeightFileException(path, $"holds no model; its keys are {string.Join(", ", tree.Keys.Take(10))}. Give a checkpoint that LAVT training wrote");
        return new LavtCheckpoint(path, file, state, tree.TryGet<PickleDict>("bert_model", out PickleDict? bert) ? Tensors(bert) : null, tree);
    }

    private static LavtCheckpoint FromSafetensors(string path, SafetensorsFile file)
    {
        Dictionary<string, Tensor> model = [], bert = [];
        foreach (string name in file.Entries.Select(e => e.Name))
        {
            if (name.StartsWith(BertPrefix, StringComparison.Ordinal)) bert[name[BertPrefix.Length..]] = file.ReadWhenUsed(name);
            else model[name] = file.ReadWhenUsed(name);
        }
        PickleDict tree = new(), args = new();
        foreach ((string key, string value) in file.Metadata.Where(e => e.Key.StartsWith(ArgsPrefix, StringComparison.Ordinal)))
            args[key[ArgsPrefix.Length..]] = value;
        if (args.Count > 0) tree["args"] = args;
        return new LavtCheckpoint(path, file, model, bert.Count > 0 ? bert : null, tree);
    }
}
