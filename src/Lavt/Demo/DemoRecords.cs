using System.Text.Json;
using Lavt.Data;

namespace Lavt.Demo;

/// <summary>Collects what the two files of a REFER data set say about pictures, objects and sentences.</summary>
/// <param name="pictureSize">The side of the pictures in pixels.</param>
internal sealed class DemoRecords(int pictureSize)
{
    private readonly List<string> _pictures = [];
    private readonly List<(int Picture, SceneObject Object)> _objects = [];
    private readonly List<Dictionary<string, object>> _references = [];
    private int _sentences;

    /// <summary>Adds a picture with its objects and their sentences.</summary>
    public void AddPicture(string fileName, string split, IReadOnlyList<(SceneObject Object, List<string> Sentences)> objects)
    {
        _pictures.Add(fileName);
        foreach ((SceneObject item, List<string> sentences) in objects)
        {
            _objects.Add((_pictures.Count, item));
            List<int> ids = [.. Enumerable.Range(_sentences, sentences.Count)];
            _sentences += sentences.Count;
            _references.Add(new Dictionary<string, object>
            {
                ["ref_id"] = _references.Count,
                ["ann_id"] = _objects.Count,
                ["image_id"] = _pictures.Count,
                ["category_id"] = Category(item),
                ["file_name"] = fileName.Replace(".jpg", $"_{_objects.Count}.jpg", StringComparison.Ordinal),
                ["split"] = split,
                ["sent_ids"] = ids,
                ["sentences"] = sentences.Zip(ids, Sentence).ToList(),
            });
        }
    }

    /// <summary>The bytes of refs(unc).p.</summary>
    public byte[] References() => PlainPickle.Write(_references);

    /// <summary>The bytes of instances.json.</summary>
    public byte[] Instances()
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream))
        {
            json.WriteStartObject();
            WriteImages(json);
            json.WriteStartArray("annotations");
            for (int i = 0; i < _objects.Count; i++) WriteObject(json, i + 1, _objects[i].Picture, _objects[i].Object);
            json.WriteEndArray();
            json.WriteStartArray("categories");
            foreach (SceneShape shape in Enum.GetValues<SceneShape>())
            {
                json.WriteStartObject();
                json.WriteNumber("id", (int)shape + 1);
                json.WriteString("name", shape.ToString().ToLowerInvariant());
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        return stream.ToArray();
    }

    private static int Category(SceneObject item) => (int)item.Shape + 1;

    private static Dictionary<string, object> Sentence(string text, int id) => new()
    {
        ["sent_id"] = id,
        ["sent"] = text,
        ["raw"] = text,
        ["tokens"] = text.Split(' ').ToList(),
    };

    private void WriteImages(Utf8JsonWriter json)
    {
        json.WriteStartArray("images");
        for (int i = 0; i < _pictures.Count; i++)
        {
            json.WriteStartObject();
            json.WriteNumber("id", i + 1);
            json.WriteString("file_name", _pictures[i]);
            json.WriteNumber("height", pictureSize);
            json.WriteNumber("width", pictureSize);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private void WriteObject(Utf8JsonWriter json, int id, int picture, SceneObject item)
    {
        double[] outline = item.Outline(pictureSize);
        Rle runs = PolygonRasterizer.Rasterize(outline, pictureSize, pictureSize);
        double[] xs = [.. outline.Where((_, i) => i % 2 == 0)], ys = [.. outline.Where((_, i) => i % 2 == 1)];
        json.WriteStartObject();
        json.WriteNumber("id", id);
        json.WriteNumber("image_id", picture);
        json.WriteNumber("category_id", Category(item));
        json.WriteNumber("iscrowd", 0);
        json.WriteNumber("area", runs.Area());
        WriteNumbers(json, "bbox", [xs.Min(), ys.Min(), Math.Round(xs.Max() - xs.Min(), 2), Math.Round(ys.Max() - ys.Min(), 2)]);
        json.WriteStartArray("segmentation");
        WriteNumbers(json, null, outline);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteNumbers(Utf8JsonWriter json, string? name, double[] numbers)
    {
        if (name is null) json.WriteStartArray();
        else json.WriteStartArray(name);
        foreach (double number in numbers) json.WriteNumberValue(number);
        json.WriteEndArray();
    }
}
