using System.Globalization;
using System.Text.Json;
using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Imaging;
using Lavt.Nn.Weights;

namespace Lavt.Demo;

/// <summary>
/// Makes a data set of moving scenes in the layout of Refer-YouTube-VOS, and the same in that of A2D-Sentences: two or three
/// drawn objects, and sentences such as "the red circle moving left". In most videos two objects look alike, so that a single
/// frame cannot tell which one is meant.
/// </summary>
/// <remarks>
/// Below the folder: <c>meta_expressions</c>, <c>train</c>, <c>valid</c> and <c>test</c> with frames and masks, <c>a2d</c>, and
/// <c>vocab.txt</c>. The sentences of valid speak of motion exactly where nothing else tells the object apart.
/// </remarks>
public static class DemoVideos
{
    private const int MostObjects = 3;
    private const int FrameStep = 5;

    /// <summary>The folder of the A2D layout below that of the data set.</summary>
    public const string A2dFolder = "a2d";

    /// <summary>Whether a sentence of the data set tells how its object moves.</summary>
    public static bool SpeaksOfMotion(string sentence)
    {
        ArgumentNullException.ThrowIfNull(sentence);
        return sentence.Split(' ').Any(MotionSentence.Words.Contains);
    }

    /// <summary>Makes the data set; the same options give the same files.</summary>
    /// <param name="folder">The folder to fill (--ytvos_data_root); made if it is missing.</param>
    /// <param name="options">Sizes and numbers.</param>
    /// <param name="progress">Gets the number of videos that are done and the number of all.</param>
    /// <exception cref="DllNotFoundException">A library for pictures, or for A2D's masks libhdf5, is not installed; the message says how to get it.</exception>
    public static void Make(string folder, DemoVideoOptions options, Action<int, int>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentOutOfRangeException.ThrowIfLessThan(options.PictureSize, 48, "PictureSize");
        ArgumentOutOfRangeException.ThrowIfLessThan(options.Frames, 2, "Frames");
        (string Split, int Videos)[] splits = [("train", options.TrainVideos), ("valid", options.ValidVideos), ("test", options.TestVideos)];
        int done = 0, all = splits.Sum(split => split.Videos);
        Dictionary<string, Dictionary<string, object>> sentences = [];
        foreach ((string split, int videos) in splits)
        {
            Dictionary<string, object> entries = [];
            A2dRecords? actors = options.WithA2d && split != "test" ? new A2dRecords(Path.Combine(folder, A2dFolder), split == "train" ? "train" : "test") : null;
            for (int i = 0; i < videos; i++)
            {
                ulong stream = (ulong)Array.FindIndex(splits, entry => entry.Split == split) << 32 | (uint)i;
                MovingScene scene = MovingScene.Make(new RandomSequence(options.Seed, stream), options, isTraining: split == "train");
                string video = string.Create(CultureInfo.InvariantCulture, $"{split}{i:0000}");
                entries[video] = WriteVideo(folder, split, video, scene);
                actors?.Add(video, scene);
                progress?.Invoke(++done, all);
            }
            actors?.Save();
            sentences[split] = entries;
        }
        // As in the real data set, the file of valid lists the competition's test videos too.
        foreach ((string video, object entry) in sentences["test"]) sentences["valid"][video] = entry;
        foreach ((string split, Dictionary<string, object> entries) in sentences) WriteSentences(folder, split, entries);
        File.WriteAllText(Path.Combine(folder, "vocab.txt"), DemoVocabulary.Text(MotionSentence.Words));
    }

    private static Dictionary<string, object> WriteVideo(string folder, string split, string video, MovingScene scene)
    {
        string pictures = Path.Combine(folder, split, "JPEGImages", video), masks = Path.Combine(folder, split, "Annotations", video);
        OutputPath.MakeFolder(pictures);
        Directory.CreateDirectory(masks);
        string[] names = [.. Enumerable.Range(0, scene.Frames.Count).Select(i => (FrameStep * i).ToString("00000", CultureInfo.InvariantCulture))];
        for (int i = 0; i < names.Length; i++)
        {
            scene.Frames[i].SaveJpeg(Path.Combine(pictures, names[i] + ".jpg"), 95);
            scene.Indices[i].SaveIndices(Path.Combine(masks, names[i] + ".png"));
        }
        Dictionary<string, object> expressions = [];
        foreach ((int number, string text) in scene.Sentences)
        {
            expressions[expressions.Count.ToString(CultureInfo.InvariantCulture)] =
                new Dictionary<string, string> { ["exp"] = text, ["obj_id"] = number.ToString(CultureInfo.InvariantCulture) };
        }
        return new Dictionary<string, object> { ["expressions"] = expressions, ["frames"] = names };
    }

    private static void WriteSentences(string folder, string split, Dictionary<string, object> videos)
    {
        string file = YouTubeVosData.ExpressionPathOf(folder, split);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllBytes(file, JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, object> { ["videos"] = videos }));
    }

    /// <summary>A drawn video.</summary>
    /// <param name="Frames">The pictures.</param>
    /// <param name="Indices">The objects of each picture by their numbers from 1.</param>
    /// <param name="Sentences">Sentences with the number of the object that each means.</param>
    internal sealed record MovingScene(IReadOnlyList<Picture> Frames, IReadOnlyList<Mask> Indices, IReadOnlyList<(int Number, string Text)> Sentences)
    {
        public static MovingScene Make(RandomSequence random, DemoVideoOptions options, bool isTraining)
        {
            bool twins = !isTraining || random.Between(0, 1) < options.TwinShare;
            List<MovingObject> scene = new MovingSceneMaker(random).Make(2 + random.Below(MostObjects - 1), twins);
            Picture ground = new ScenePainter(random).Ground(options.PictureSize);
            List<Picture> frames = [];
            List<Mask> indices = [];
            for (int i = 0; i < options.Frames; i++)
            {
                double time = i / (options.Frames - 1.0);
                frames.Add(ScenePainter.Paint(scene.Select(item => item.At(time)), ground));
                indices.Add(Draw(scene, time, options.PictureSize));
            }
            return new MovingScene(frames, indices, [.. scene.Select((item, i) => (i + 1, Sentence(scene, item, random, isTraining).ToString()))]);
        }

        /// <summary>
        /// A sentence that means the object alone. In training it may speak of motion without need; in evaluation it does so only
        /// where nothing else tells the object apart.
        /// </summary>
        private static MotionSentence Sentence(List<MovingObject> scene, MovingObject item, RandomSequence random, bool isTraining)
        {
            List<MotionSentence> all = MotionSentence.Describe(scene, item);
            if (!isTraining && all.Exists(sentence => sentence.Motion is null)) all.RemoveAll(sentence => sentence.Motion is not null);
            // A noun or a colour makes a sentence easier to learn.
            return all[random.Weighted([.. all.Select(sentence => (sentence.Color is null ? 1.0 : 3.0) * (sentence.Shape is null ? 1.0 : 2.0))])];
        }

        private static Mask Draw(List<MovingObject> scene, double time, int size)
        {
            Mask indices = new(size, size);
            for (int number = 1; number <= scene.Count; number++)
            {
                Mask mask = PolygonRasterizer.Rasterize(scene[number - 1].At(time).Outline(size), size, size).Decode();
                for (int i = 0; i < mask.Pixels.Length; i++)
                {
                    if (mask.Pixels[i] != 0) indices.Pixels[i] = (byte)number;
                }
            }
            return indices;
        }
    }

    /// <summary>Collects the sentences of a split in A2D's layout and writes frames and masks.</summary>
    private sealed class A2dRecords(string root, string split)
    {
        private readonly List<object[]> _sentences = [];

        public void Add(string video, MovingScene scene)
        {
            string pictures = Path.Combine(root, "pngs320H", video);
            Directory.CreateDirectory(pictures);
            for (int i = 0; i < scene.Frames.Count; i++)
                scene.Frames[i].SavePng(Path.Combine(pictures, (i + 1).ToString("00000", CultureInfo.InvariantCulture) + ".png"));
            int frame = scene.Frames.Count / 2;
            string file = Path.Combine(root, "a2d_annotation_with_instances", video, (frame + 1).ToString("00000", CultureInfo.InvariantCulture) + ".h5");
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            Mask[] masks = [.. scene.Sentences.Select(sentence => Only(scene.Indices[frame], sentence.Number))];
            A2dMask.Write(file, [.. scene.Sentences.Select(sentence => (long)sentence.Number)], masks);
            foreach ((int number, string text) in scene.Sentences) _sentences.Add([text, video, frame + 1, number]);
        }

        public void Save()
        {
            Directory.CreateDirectory(root);
            File.WriteAllBytes(Path.Combine(root, $"a2d_sentences_single_frame_{split}_annotations.json"), JsonSerializer.SerializeToUtf8Bytes(_sentences));
        }

        private static Mask Only(Mask indices, int number)
        {
            Mask mask = new(indices.Rows, indices.Columns);
            indices.Pixels.CopyTo(mask.Pixels);
            mask.KeepOnly((byte)number);
            return mask;
        }
    }
}
