namespace Lavt.Data;

/// <summary>
/// A data set of the REFER family (RefCOCO, RefCOCO+, G-Ref): objects of pictures and the sentences that mean them.
/// </summary>
/// <remarks>
/// Layout below the root: <c>DATASET/refs(SPLITBY).p</c>, <c>DATASET/instances.json</c> and the pictures in
/// <c>images/mscoco/images/train2014</c>. Source: github.com/lichengunc/refer.
/// </remarks>
public sealed class ReferData
{
    private static readonly string[] s_datasets = ["refcoco", "refcoco+", "refcocog"];

    private ReferData(string root, string dataset, string splitBy, List<ReferSample> samples)
    {
        (Root, Dataset, SplitBy) = (root, dataset, splitBy);
        Samples = samples;
    }

    /// <summary>The folder of all data sets.</summary>
    public string Root { get; }

    /// <summary>The name of the data set: refcoco, refcoco+ or refcocog.</summary>
    public string Dataset { get; }

    /// <summary>Who made the splits: unc, umd or google.</summary>
    public string SplitBy { get; }

    /// <summary>All samples in the order of the file.</summary>
    public IReadOnlyList<ReferSample> Samples { get; }

    /// <summary>The file of references.</summary>
    public string ReferencePath => ReferencePathOf(Root, Dataset, SplitBy);

    /// <summary>The file of pictures and outlines.</summary>
    public string InstancePath => InstancePathOf(Root, Dataset);

    /// <summary>Reads a data set.</summary>
    /// <param name="root">The folder of all data sets (--refer_data_root).</param>
    /// <param name="dataset">refcoco, refcoco+ or refcocog (--dataset).</param>
    /// <param name="splitBy">unc for RefCOCO and RefCOCO+, umd or google for G-Ref (--splitBy).</param>
    /// <exception cref="DataException">A file is missing or damaged, or a reference lacks its annotation or picture.</exception>
    /// <exception cref="Nn.Weights.PickleException">The reference file is no pickle of plain data.</exception>
    public static ReferData Load(string root, string dataset, string splitBy) =>
        Load(root, dataset, splitBy, problem => throw new DataException(problem, DataException.VerifyAdvice));

    /// <summary>Reads a data set and goes on past broken entries, which are left out.</summary>
    /// <param name="root">The folder of all data sets.</param>
    /// <param name="dataset">refcoco, refcoco+ or refcocog.</param>
    /// <param name="splitBy">unc, umd or google.</param>
    /// <param name="report">Gets each problem as it is found.</param>
    /// <exception cref="DataException">A whole file is missing or damaged.</exception>
    /// <exception cref="Nn.Weights.PickleException">The reference file is no pickle of plain data.</exception>
    public static ReferData Load(string root, string dataset, string splitBy, Action<DataProblem> report)
    {
        string references = ReferencePathOf(root, dataset, splitBy), instances = InstancePathOf(root, dataset);
        CheckFiles(root, dataset, references, instances);
        List<ReferenceEntry> entries = ReferenceFile.Read(references, report);
        InstanceFile known = InstanceFile.Read(instances, entries.Select(entry => entry.AnnotationId).ToHashSet(), report);
        List<ReferSample> samples = new(entries.Count);
        foreach (ReferenceEntry entry in entries)
        {
            if (!known.Objects.TryGetValue(entry.AnnotationId, out (long ImageId, Segmentation Segmentation) found))
                report(new DataProblem(references, entry.Place, $"annotation {entry.AnnotationId} is not in {instances}"));
            else if (!known.Images.TryGetValue(entry.ImageId, out ReferImage? image))
                report(new DataProblem(references, entry.Place, $"image {entry.ImageId} is not in {instances}"));
            else if (found.ImageId != entry.ImageId)
                report(new DataProblem(references, entry.Place, $"annotation {entry.AnnotationId} belongs to image {found.ImageId} in {instances}"));
            else
                samples.Add(new ReferSample(entry.RefId, entry.AnnotationId, entry.Split, image, found.Segmentation, entry.Sentences));
        }
        return new ReferData(root, dataset, splitBy, samples);
    }

    /// <summary>
    /// The samples of a split: train and val by name; testA and testB wherever that letter is in the sample's split (testA
    /// and testAB both belong to testA); test for everything with "test" in its split.
    /// </summary>
    /// <exception cref="DataException">There is no such split, or it is empty.</exception>
    public IReadOnlyList<ReferSample> Split(string split)
    {
        Func<ReferSample, bool> belongs = split switch
        {
            "testA" or "testB" or "testC" => sample => sample.Split.Contains(split[^1], StringComparison.Ordinal),
            "test" => sample => sample.Split.Contains("test", StringComparison.Ordinal),
            "train" or "val" or "testAB" or "testBC" or "testAC" => sample => sample.Split == split,
            _ => throw new DataException(new DataProblem(ReferencePath, "", $"no split is named '{split}'"), "give train, val, test, testA or testB (--split)"),
        };
        List<ReferSample> samples = [.. Samples.Where(belongs)];
        if (samples.Count > 0) return samples;
        string known = string.Join(", ", Samples.Select(sample => sample.Split).Distinct().Order(StringComparer.Ordinal));
        throw new DataException(new DataProblem(ReferencePath, "", $"the split '{split}' has no samples"), $"the file has: {known} (--split, --splitBy)");
    }

    /// <summary>The file of a sample's picture.</summary>
    public string PicturePath(ReferSample sample)
    {
        ArgumentNullException.ThrowIfNull(sample);
        return Path.Combine(PictureFolder(Root), sample.Image.FileName);
    }

    internal static string PictureFolder(string root) => Path.Combine(root, "images", "mscoco", "images", "train2014");

    internal static string ReferencePathOf(string root, string dataset, string splitBy) => Path.Combine(root, dataset, $"refs({splitBy}).p");

    internal static string InstancePathOf(string root, string dataset) => Path.Combine(root, dataset, "instances.json");

    private static void CheckFiles(string root, string dataset, string references, string instances)
    {
        if (!s_datasets.Contains(dataset))
            throw new DataException(new DataProblem(root, "", $"no data set is named '{dataset}'"), $"give one of {string.Join(", ", s_datasets)} (--dataset)");
        string folder = Path.Combine(root, dataset);
        if (!Directory.Exists(folder))
            throw new DataException(new DataProblem(folder, "", "there is no such folder"), "give the folder that holds the data sets (--refer_data_root)");
        if (!File.Exists(references))
        {
            string found = string.Join(", ", Directory.GetFiles(folder, "refs(*).p").Select(Path.GetFileName).Order(StringComparer.Ordinal));
            throw new DataException(new DataProblem(references, "", "there is no such file"), $"the folder has {(found.Length > 0 ? found : "no references")} (--splitBy)");
        }
        if (!File.Exists(instances))
            throw new DataException(new DataProblem(instances, "", "there is no such file"), "copy it from the data set's archive");
    }
}
