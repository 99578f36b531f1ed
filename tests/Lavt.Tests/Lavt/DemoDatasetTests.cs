using System.Text.Json;
using Lavt.Data;
using Lavt.Demo;
using Lavt.Imaging;
using Lavt.Nn.Weights;
using Xunit;

namespace Lavt.Tests.Demo;

public sealed class DemoDatasetTests
{
    private static bool All(ObjectColour colour, ObjectShape shape) => true;

    [Fact]
    public void The_same_numbers_draw_the_same_scene()
    {
        Scene a = Scene.Draw(new Random(7), All), b = Scene.Draw(new Random(7), All);
        Assert.Equal(a.Objects, b.Objects);
        Assert.Equal(a.Sentences.SelectMany(list => list), b.Sentences.SelectMany(list => list));
    }

    [Fact]
    public void Objects_lie_inside_the_picture_and_apart()
    {
        for (int seed = 0; seed < 50; seed++)
        {
            Scene scene = Scene.Draw(new Random(seed), All);
            var sums = new Mask(scene.Rows, scene.Columns);
            foreach (SceneObject drawn in scene.Objects)
            {
                double[] outline = drawn.Outline();
                Assert.All(outline.Where((_, i) => i % 2 == 0), x => Assert.InRange(x, 0, scene.Columns));
                Assert.All(outline.Where((_, i) => i % 2 == 1), y => Assert.InRange(y, 0, scene.Rows));
                PolygonRasterizer.Rasterize(outline, scene.Rows, scene.Columns).AddTo(sums);
            }
            Assert.DoesNotContain((byte)2, sums.Pixels.ToArray());
        }
    }

    /// <summary>Reads every sentence back by plain rules and finds its object.</summary>
    [Fact]
    public void A_sentence_fits_its_object_and_no_other()
    {
        for (int seed = 0; seed < 200; seed++)
        {
            Scene scene = Scene.Draw(new Random(seed), All);
            for (int i = 0; i < scene.Objects.Count; i++)
            {
                foreach (string sentence in scene.Sentences[i])
                    Assert.Equal([scene.Objects[i]], Meant(sentence, scene.Objects));
            }
            Assert.True(scene.Sentences.Count(list => list.Count > 0) >= 2);
        }
    }

    private static SceneObject[] Meant(string sentence, IReadOnlyList<SceneObject> objects)
    {
        HashSet<string> words = [.. sentence.Split(' ')];
        bool Says<T>(T value) where T : struct, Enum =>
            !words.Overlaps(Enum.GetNames<T>().Select(name => name.ToLowerInvariant())) || words.Contains(value.ToString().ToLowerInvariant());
        SceneObject[] alike = [.. objects.Where(it => Says(it.Colour) && Says(it.Shape) && Says(it.Size))];
        if (words.Overlaps(["left", "leftmost"]))
            return [alike.MinBy(it => it.X)!];
        if (words.Overlaps(["right", "rightmost"]))
            return [alike.MaxBy(it => it.X)!];
        if (words.Overlaps(["top", "upper"]))
            return [alike.MinBy(it => it.Y)!];
        return words.Overlaps(["bottom", "lower"]) ? [alike.MaxBy(it => it.Y)!] : alike;
    }

    [Fact]
    public void The_files_have_the_layout_of_REFER()
    {
        string folder = Directory.CreateTempSubdirectory("lavt-demo-").FullName;
        try
        {
            DemoDataset.Write(folder, 3, ("train", 4), ("testB", 3));
            var references = (IReadOnlyList<object?>)Pickle.Load(File.ReadAllBytes(Path.Combine(folder, "refcoco", "refs(unc).p")))!;
            using JsonDocument instances = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "refcoco", "instances.json")));
            Dictionary<long, JsonElement> annotations = instances.RootElement.GetProperty("annotations").EnumerateArray()
                .ToDictionary(annotation => annotation.GetProperty("id").GetInt64());
            string[] vocabulary = File.ReadAllLines(DemoDataset.VocabularyFile(folder));
            Assert.Equal("[PAD]", vocabulary[0]);
            Assert.NotEmpty(references);
            foreach (PickleDict reference in references.Cast<PickleDict>())
            {
                JsonElement annotation = annotations[reference.Get<long>("ann_id")];
                Assert.Equal(reference.Get<long>("image_id"), annotation.GetProperty("image_id").GetInt64());
                string file = Path.Combine(folder, "images", "mscoco", "images", "train2014", reference.Get<string>("file_name"));
                JsonElement image = instances.RootElement.GetProperty("images")[(int)reference.Get<long>("image_id") - 1];
                Assert.Equal(image.GetProperty("width").GetInt32(), Picture.Load(file).Columns);
                foreach (PickleDict sentence in reference.Get<IReadOnlyList<object?>>("sentences").Cast<PickleDict>())
                    Assert.All(sentence.Get<string>("sent").Split(' '), word => Assert.Contains(word, vocabulary));
            }
            Assert.Equal(["testB", "train"], references.Cast<PickleDict>().Select(it => it.Get<string>("split")).Distinct().Order());
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
