using System.Globalization;
using Lavt.Data;
using Lavt.Nn.Weights;

namespace Lavt.Demo;

/// <summary>
/// Makes a data set in the layout of REFER out of nothing: drawn scenes of several objects with sentences such as "the small
/// red circle" or "the square on the left", each of which means exactly one object of its picture. Which object is meant
/// cannot be seen from the picture: every object of every picture has sentences.
/// </summary>
/// <remarks>
/// Below the folder: <c>refcoco/refs(unc).p</c>, <c>refcoco/instances.json</c>, the pictures, and <c>vocab.txt</c> with the
/// words of the sentences, letters and signs.
/// </remarks>
public static class DemoScenes
{
    private const string Dataset = "refcoco";
    private const string SplitBy = "unc";
    private const int MostObjects = 4;

    /// <summary>Makes the data set; the same options give the same files.</summary>
    /// <param name="folder">The folder to fill (--refer_data_root); made if it is missing.</param>
    /// <param name="options">Sizes and numbers.</param>
    /// <param name="progress">Gets the number of pictures that are done and the number of all.</param>
    /// <exception cref="DllNotFoundException">libturbojpeg is not installed; the message says how to get it.</exception>
    public static void Make(string folder, DemoOptions options, Action<int, int>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.PictureSize, 48, "PictureSize");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.SentencesPerObject, 1, "SentencesPerObject");
        string pictures = ReferData.PictureFolder(folder);
        OutputPath.MakeFolder(pictures);
        Directory.CreateDirectory(Path.Combine(folder, Dataset));
        List<(string Split, int Objects, ulong Stream)> plan = Plan(options);
        DemoRecords records = new(options.PictureSize);
        for (int i = 0; i < plan.Count; i++)
        {
            RandomSequence random = new(options.Seed, plan[i].Stream);
            int count = plan[i].Objects > 0 ? plan[i].Objects : 2 + random.Below(MostObjects - 1);
            List<SceneObject> scene = new SceneMaker(random, options.TwinShare).Make(count);
            string name = string.Create(CultureInfo.InvariantCulture, $"COCO_train2014_{i + 1:D12}.jpg");
            new ScenePainter(random).Paint(scene, options.PictureSize).SaveJpeg(Path.Combine(pictures, name), 92);
            records.AddPicture(name, plan[i].Split, [.. scene.Select(item => (item, Sentences(scene, item, options.SentencesPerObject, random)))]);
            progress?.Invoke(i + 1, plan.Count);
        }
        File.WriteAllBytes(ReferData.ReferencePathOf(folder, Dataset, SplitBy), records.References());
        File.WriteAllBytes(ReferData.InstancePathOf(folder, Dataset), records.Instances());
        File.WriteAllText(Path.Combine(folder, "vocab.txt"), DemoVocabulary.Text());
    }

    /// <summary>The split of each picture, its number of objects (0 for any), and its random stream, which does not depend on the size of other splits.</summary>
    private static List<(string Split, int Objects, ulong Stream)> Plan(DemoOptions options)
    {
        List<(string Split, int Objects, ulong Stream)> plan = [];
        Add("train", 0, options.TrainPictures, 0);
        Add("val", 0, options.ValPictures, 1);
        Add("testA", 0, options.TestAPictures, 2);
        Add("testB", MostObjects, options.TestBPictures, 3);
        return plan;

        void Add(string split, int objects, int pictures, ulong number)
        {
            for (int i = 0; i < pictures; i++) plan.Add((split, objects, number << 32 | (uint)i));
        }
    }

    private static List<string> Sentences(List<SceneObject> scene, SceneObject item, int count, RandomSequence random)
    {
        List<SceneSentence> all = SceneDescriber.Describe(scene, item);
        List<string> chosen = [];
        while (chosen.Count < count && all.Count > 0)
        {
            int index = random.Weighted([.. all.Select(SceneDescriber.Weight)]);
            chosen.Add(all[index].ToString());
            all.RemoveAt(index);
        }
        return chosen;
    }
}
