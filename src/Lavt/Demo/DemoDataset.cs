using System.Text.Json;
using Lavt.Data;

namespace Lavt.Demo;

/// <summary>
/// A small data set of drawn scenes in REFER's layout, as RefCOCO has it: <c>refcoco/refs(unc).p</c>,
/// <c>refcoco/instances.json</c>, JPEG pictures in <c>images/mscoco/images/train2014</c>, and a vocabulary <c>vocab.txt</c>.
/// The same seed makes the same files.
/// </summary>
public static class DemoDataset
{
    private const int JpegQuality = 90;

    /// <summary>The split whose pictures show pairs of colour and shape that the others do not.</summary>
    private const string NovelSplit = "testB";

    /// <summary>How many pictures each split has.</summary>
    private static readonly (string Split, int Pictures)[] s_splits = [("train", 1500), ("val", 60), ("testA", 100), (NovelSplit, 60)];

    private static readonly string[] s_specialTokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];

    /// <summary>The vocabulary of the demo's sentences, in the order of <c>vocab.txt</c>.</summary>
    public static IReadOnlyList<string> Vocabulary { get; } = [.. s_specialTokens, .. Describer.Words];

    /// <summary>The vocabulary file in the folder of a data set.</summary>
    public static string VocabularyFile(string folder) => Path.Combine(folder, "vocab.txt");

    /// <summary>Writes the data set, over one that is there.</summary>
    /// <param name="folder">What becomes <c>--refer_data_root</c>.</param>
    /// <param name="seed">Decides every scene.</param>
    public static void Write(string folder, int seed) => Write(folder, seed, s_splits);

    /// <summary>Writes a data set with other numbers of pictures.</summary>
    internal static void Write(string folder, int seed, params (string Split, int Pictures)[] splits)
    {
        string pictures = Path.Combine(folder, "images", "mscoco", "images", "train2014");
        string annotations = Path.Combine(folder, "refcoco");
        Directory.CreateDirectory(pictures);
        Directory.CreateDirectory(annotations);
        (string Split, Scene Scene)[] scenes = Draw(pictures, seed, splits);
        using (FileStream file = File.Create(Path.Combine(annotations, "instances.json")))
            WriteInstances(file, scenes);
        File.WriteAllBytes(Path.Combine(annotations, "refs(unc).p"), RefsPickle.Write(References(scenes)));
        File.WriteAllLines(VocabularyFile(folder), Vocabulary);
    }

    private static (string Split, Scene Scene)[] Draw(string folder, int seed, (string Split, int Pictures)[] splits)
    {
        string[] plan = [.. splits.SelectMany(split => Enumerable.Repeat(split.Split, split.Pictures))];
        var scenes = new (string, Scene)[plan.Length];
        // Every picture has its own random numbers, so that threads do not change what is drawn.
        Parallel.For(0, plan.Length, index =>
        {
            var random = new Random(HashOf(seed, index));
            bool novel = plan[index] == NovelSplit;
            Scene scene = Scene.Draw(random, (colour, shape) => IsNovel(colour, shape) == novel);
            ScenePainter.Paint(scene, random).SaveJpeg(Path.Combine(folder, FileName(index)), JpegQuality);
            scenes[index] = (plan[index], scene);
        });
        return scenes;
    }

    /// <summary>A third of the pairs of colour and shape is kept from training; each colour and each shape is among the others.</summary>
    private static bool IsNovel(ObjectColour colour, ObjectShape shape) => ((int)colour + (int)shape) % 3 == 0;

    /// <summary>A fixed mixture of seed and index (Knuth's multiplicative hashing); <see cref="HashCode"/> differs from run to run.</summary>
    private static int HashOf(int seed, int index) => unchecked((int)((uint)seed * 2654435761u ^ (uint)(index + 1) * 2246822519u));

    private static string FileName(int picture) => $"COCO_train2014_{picture + 1:D12}.jpg";

    /// <summary>The number of an object's annotation: pictures are numbered from 1, with room for ten objects each.</summary>
    private static int AnnotationId(int picture, int drawn) => 10 * (picture + 1) + drawn;

    private static int CategoryId(SceneObject drawn) => (int)drawn.Shape + 1;

    private static void WriteInstances(Stream stream, (string Split, Scene Scene)[] scenes)
    {
        using var json = new Utf8JsonWriter(stream);
        json.WriteStartObject();
        json.WriteStartArray("images");
        for (int i = 0; i < scenes.Length; i++)
        {
            json.WriteStartObject();
            json.WriteNumber("id", i + 1);
            json.WriteString("file_name", FileName(i));
            json.WriteNumber("height", scenes[i].Scene.Rows);
            json.WriteNumber("width", scenes[i].Scene.Columns);
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteStartArray("annotations");
        for (int i = 0; i < scenes.Length; i++)
        {
            for (int j = 0; j < scenes[i].Scene.Objects.Count; j++)
                WriteAnnotation(json, i, j, scenes[i].Scene);
        }
        json.WriteEndArray();
        json.WriteStartArray("categories");
        foreach (ObjectShape shape in Enum.GetValues<ObjectShape>())
        {
            json.WriteStartObject();
            json.WriteNumber("id", (int)shape + 1);
            json.WriteString("name", shape.ToString().ToLowerInvariant());
            json.WriteString("supercategory", "shape");
            json.WriteEndObject();
        }
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteAnnotation(Utf8JsonWriter json, int picture, int index, Scene scene)
    {
        SceneObject drawn = scene.Objects[index];
        // Whole hundredths, as COCO's own files have them.
        double[] outline = [.. drawn.Outline().Select(value => Math.Round(value, 2))];
        double left = outline.Where((_, i) => i % 2 == 0).Min(), right = outline.Where((_, i) => i % 2 == 0).Max();
        double top = outline.Where((_, i) => i % 2 == 1).Min(), bottom = outline.Where((_, i) => i % 2 == 1).Max();
        json.WriteStartObject();
        json.WriteNumber("id", AnnotationId(picture, index));
        json.WriteNumber("image_id", picture + 1);
        json.WriteNumber("category_id", CategoryId(drawn));
        json.WriteNumber("iscrowd", 0);
        json.WriteNumber("area", PolygonRasterizer.Rasterize(outline, scene.Rows, scene.Columns).Area());
        WriteNumbers(json, "bbox", [left, top, Math.Round(right - left, 2), Math.Round(bottom - top, 2)]);
        json.WriteStartArray("segmentation");
        json.WriteStartArray();
        foreach (double value in outline)
            json.WriteNumberValue(value);
        json.WriteEndArray();
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteNumbers(Utf8JsonWriter json, string name, ReadOnlySpan<double> values)
    {
        json.WriteStartArray(name);
        foreach (double value in values)
            json.WriteNumberValue(value);
        json.WriteEndArray();
    }

    private static List<object> References((string Split, Scene Scene)[] scenes)
    {
        List<object> references = [];
        int sentenceId = 0;
        for (int i = 0; i < scenes.Length; i++)
        {
            Scene scene = scenes[i].Scene;
            for (int j = 0; j < scene.Objects.Count; j++)
            {
                if (scene.Sentences[j].Count == 0)
                    continue;
                List<object> ids = [], sentences = [];
                foreach (string text in scene.Sentences[j])
                {
                    ids.Add(sentenceId);
                    sentences.Add(new Dictionary<string, object>
                    {
                        ["tokens"] = text.Split(' ').ToList<object>(), ["raw"] = text, ["sent"] = text, ["sent_id"] = sentenceId++,
                    });
                }
                references.Add(new Dictionary<string, object>
                {
                    ["ref_id"] = references.Count, ["ann_id"] = AnnotationId(i, j), ["image_id"] = i + 1,
                    ["category_id"] = CategoryId(scene.Objects[j]), ["file_name"] = FileName(i), ["split"] = scenes[i].Split,
                    ["sent_ids"] = ids, ["sentences"] = sentences,
                });
            }
        }
        return references;
    }
}
