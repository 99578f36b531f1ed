using Lavt.Nn;
using Lavt.Nn.Weights;
using Lavt.Tensors;

namespace Lavt.Weights;

/// <summary>What did not fit when weights were put into a module.</summary>
/// <param name="File">The file that the weights came from.</param>
/// <param name="Missing">Keys of the module that the file lacks.</param>
/// <param name="Unexpected">Keys of the file that the module lacks.</param>
/// <param name="Mismatched">Keys with other shapes, with both shapes.</param>
public sealed record LoadReport(string File, IReadOnlyList<string> Missing, IReadOnlyList<string> Unexpected, IReadOnlyList<string> Mismatched)
{
    private const int Shown = 8;

    /// <summary>True if everything fitted.</summary>
    public bool IsComplete => Missing.Count + Unexpected.Count + Mismatched.Count == 0;

    /// <summary>Stops if anything did not fit.</summary>
    /// <exception cref="WeightFileException">Lists what did not.</exception>
    public LoadReport ThrowUnlessComplete(string advice)
    {
        if (!IsComplete) throw new WeightFileException(File, $"the weights do not fit the model; {advice}\n{Describe()}");
        return this;
    }

    /// <summary>The lists, a line each.</summary>
    public string Describe() => string.Join("\n", new[] { Line("missing", Missing), Line("unexpected", Unexpected), Line("other shape", Mismatched) }.Where(l => l.Length > 0));

    private static string Line(string what, IReadOnlyList<string> keys) => keys.Count == 0
        ? ""
        : $"  {what} ({keys.Count}): {string.Join(", ", keys.Take(Shown))}{(keys.Count > Shown ? ", ..." : "")}";
}

/// <summary>Puts the tensors of a file into a module.</summary>
public static class StateLoader
{
    // Buffers that are computed, not learnt, and parts of BERT that LAVT does not use.
    private static readonly string[] Ignored = ["relative_position_index", "attn_mask", "position_ids", "num_batches_tracked"];

    /// <summary>Puts each tensor into the entry with the same key and reports the rest. Memory is taken over where possible: the
    /// tensors of <paramref name="state"/> must not be changed afterwards.</summary>
    /// <param name="module">The module.</param>
    /// <param name="state">Tensors by key; F32, F64, F16 or BF16.</param>
    /// <param name="file">The file's name, for the report.</param>
    public static LoadReport Load(Module module, IReadOnlyDictionary<string, Tensor> state, string file)
    {
        Dictionary<string, StateEntry> own = module.State().ToDictionary(e => e.Name);
        List<string> mismatched = [];
        HashSet<Storage> taken = [];
        foreach ((string key, Tensor value) in state)
        {
            if (!own.TryGetValue(key, out StateEntry entry)) continue;
            if (key.EndsWith("relative_position_index", StringComparison.Ordinal)) continue;
            if (entry.Value.Count != value.Count || (entry.Value.Shape != value.Shape && value.Count != 1))
            {
                mismatched.Add($"{key} is {value.Shape} in the file, {entry.Value.Shape} in the model");
                continue;
            }
            Put(entry.Value, value.To(entry.Value.DType), taken);
        }
        module.NotifyWeightsChanged();
        return new LoadReport(
            file,
            [.. own.Keys.Where(key => !state.ContainsKey(key) && !IsIgnored(key))],
            [.. state.Keys.Where(key => !own.ContainsKey(key) && !IsIgnored(key))],
            mismatched);
    }

    /// <summary>Takes the file's memory over where it is the tensor's alone, so that large weights are never held twice.</summary>
    private static void Put(Tensor target, Tensor value, HashSet<Storage> taken)
    {
        bool whole = value.IsContiguous && value.Offset == 0 && value.Shape == target.Shape && value.Storage.Bytes == value.Count * value.DType.Size();
        if (whole && taken.Add(value.Storage)) target.Adopt(value);
        else target.CopyFrom(value.ViewAs(target.Shape));
    }

    private static bool IsIgnored(string key) =>
        Ignored.Any(end => key.EndsWith(end, StringComparison.Ordinal)) || key.StartsWith("pooler.", StringComparison.Ordinal) || key.Contains(".pooler.", StringComparison.Ordinal);
}
