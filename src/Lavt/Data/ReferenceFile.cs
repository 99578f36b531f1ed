using Lavt.Nn.Weights;

namespace Lavt.Data;

/// <summary>An entry of a reference file before its annotation and picture are looked up.</summary>
internal sealed record ReferenceEntry(long RefId, long AnnotationId, long ImageId, string Split, IReadOnlyList<ReferSentence> Sentences)
{
    /// <summary>How messages name the entry.</summary>
    public string Place => $"ref {RefId}, ann {AnnotationId}, image {ImageId}";
}

/// <summary>Reads refs(…).p, a pickled list of dicts.</summary>
internal static class ReferenceFile
{
    /// <summary>The entries in the order of the file; broken ones are reported and left out.</summary>
    /// <exception cref="PickleException">The file is no pickle of plain data.</exception>
    /// <exception cref="DataException">The pickle holds no list.</exception>
    public static List<ReferenceEntry> Read(string path, Action<DataProblem> report)
    {
        using FileStream file = File.OpenRead(path);
        object? root = Pickle.Load(file, new PickleOptions { Name = path });
        if (root is not List<object?> list)
            throw new DataException(new DataProblem(path, "", "the pickle holds no list of references"), "give the refs(…).p of a REFER data set");
        List<ReferenceEntry> entries = new(list.Count);
        HashSet<long> seen = [];
        for (int i = 0; i < list.Count; i++)
        {
            try
            {
                ReferenceEntry entry = ReadEntry(list[i]);
                if (seen.Add(entry.RefId)) entries.Add(entry);
                else report(new DataProblem(path, entry.Place, "the number of this reference occurs twice"));
            }
            catch (Exception failure) when (failure is KeyNotFoundException or InvalidCastException or FormatException)
            {
                report(new DataProblem(path, $"entry {i}", failure.Message));
            }
        }
        return entries;
    }

    private static ReferenceEntry ReadEntry(object? item)
    {
        if (item is not PickleDict entry) throw new FormatException($"a reference is a dict, this is {item?.GetType().Name ?? "None"}");
        List<ReferSentence> sentences = [];
        foreach (object? sentence in entry.Get<List<object?>>("sentences"))
        {
            if (sentence is not PickleDict words) throw new FormatException("a sentence is a dict, this is none");
            sentences.Add(new ReferSentence(words.Get<long>("sent_id"), words.Get<string>("raw")));
        }
        long id = entry.Get<long>("ref_id");
        if (sentences.Count == 0) throw new FormatException($"ref {id} has no sentences");
        return new ReferenceEntry(id, entry.Get<long>("ann_id"), entry.Get<long>("image_id"), entry.Get<string>("split"), sentences);
    }
}
