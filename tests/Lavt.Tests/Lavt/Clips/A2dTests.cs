using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Imaging;
using Lavt.Options;
using Lavt.Tests.Data;
using Xunit;

namespace Lavt.Tests.Clips;

public sealed class A2dTests : IDisposable
{
    private readonly DataGolden.TemporaryFolder _folder = DataGolden.NewFolder();

    public void Dispose() => _folder.Dispose();

    private string Root => _folder.Folder;

    [Theory]
    [InlineData(8, 6, "1 2 3 4 5 6 7 8", 4)]
    [InlineData(8, 2, "0 0 0 0 1 2 3 4", 4)]
    [InlineData(8, 1, "0 0 0 0 0 1 2 3", 0)]
    [InlineData(8, 12, "7 8 9 10 11 11 11 11", 4)]
    [InlineData(1, 6, "5", 0)]
    public void Evaluation_shows_the_frames_around_the_annotated_one(int length, int frame, string expected, int annotated)
    {
        ClipSets.AddFrames(Root, "v", 12);
        ClipSets.WriteA2d(Root, "test", ("The  Big\tdog", "v", frame, 2));
        ClipItem clip = Load(new A2dDataset(A2dData.Load(Root, "val"), ClipSets.Tokenizer, 32, length, ClipSampling.Window, false));
        Assert.Equal(expected, string.Join(' ', clip.FrameIndices.ToArray()));
        Assert.Equal(clip.FrameIndices.ToArray(), ClipSets.FramesShown(clip));
        Assert.Equal(annotated, clip.AnnotatedFrame);
        Assert.Equal(($"v_v_f_{frame}_i_2", "the big dog"), (clip.Name, clip.Sentence));
        Mask mask = new();
        A2dMask.Read(DataGolden.Path("hdf5", "00002.h5"), 2, "", mask);
        Assert.Equal(mask.Pixels.ToArray(), clip.Truth.Pixels.ToArray());
        Assert.Equal(Resize.Nearest(mask, 32, 32).Pixels.ToArray(), clip.Mask(0).ToArray());
    }

    [Fact]
    public void Training_draws_frames_and_knows_which_one_has_the_mask()
    {
        ClipSets.AddFrames(Root, "v", 12);
        ClipSets.WriteA2d(Root, "train", ("dog", "v", 6, 2));
        A2dDataset dataset = new(A2dData.Load(Root, "train"), ClipSets.Tokenizer, 32, 6, ClipSampling.Drawn, true);
        HashSet<string> clips = [];
        for (int epoch = 0; epoch < 10; epoch++)
        {
            ClipItem clip = Load(dataset, ClipPlan.Training(dataset, 1, epoch)[0]);
            Assert.Equal(5, clip.FrameIndices[clip.AnnotatedFrame]);
            Assert.Equal(clip.FrameIndices.ToArray(), ClipSets.FramesShown(clip));
            clips.Add(string.Join(' ', clip.FrameIndices.ToArray()));
        }
        Assert.True(clips.Count > 3);
    }

    [Fact]
    public void Flags_choose_the_clips_of_an_evaluation()
    {
        ClipSets.AddFrames(Root, "v", 20);
        ClipSets.WriteA2d(Root, "test", ("dog", "v", 10, 2));
        DataOptions options = new() { Dataset = DatasetKind.A2d, A2dRoot = Root, ImageSize = 32, ClipLength = 6 };
        ClipItem window = Load(ClipDatasets.OpenEvaluation(options, "val", ClipSets.Tokenizer));
        Assert.Equal("6 7 8 9 10 11", string.Join(' ', window.FrameIndices.ToArray()));
        IClipDataset drawn = ClipDatasets.OpenEvaluation(options with { NotConsecutive = true }, "val", ClipSets.Tokenizer);
        string clip = string.Join(' ', Load(drawn, ClipPlan.Evaluation(drawn)[0]).FrameIndices.ToArray());
        Assert.NotEqual("6 7 8 9 10 11", clip);
        Assert.Equal(clip, string.Join(' ', Load(drawn, ClipPlan.Evaluation(drawn)[0]).FrameIndices.ToArray()));
        Assert.Throws<OptionException>(() => ClipDatasets.OpenEvaluation(options with { Dataset = DatasetKind.YouTubeVos }, "val", ClipSets.Tokenizer));
        Assert.Throws<OptionException>(() => ClipDatasets.OpenTraining(options with { Dataset = DatasetKind.Jhmdb }, ClipSets.Tokenizer));
    }

    [Fact]
    public void An_empty_mask_is_drawn_again_in_training_and_an_error_in_evaluation()
    {
        ClipSets.AddFrames(Root, "v", 8);
        ClipSets.WriteA2d(Root, "train", ("dog", "v", 2, 2), ("cat", "v", 5, 0));
        ClipSets.EmptyMask(Root, "v", 2, 2);
        A2dData data = A2dData.Load(Root, "train");
        A2dDataset dataset = new(data, ClipSets.Tokenizer, 32, 4, ClipSampling.Drawn, true);
        Assert.All(Enumerable.Range(0, 20), i => Assert.Equal("cat", Load(dataset, new ClipChoice(0, (ulong)i)).Sentence));
        DataException failure = Assert.Throws<DataException>(() => Load(new A2dDataset(data, ClipSets.Tokenizer, 32, 4, ClipSampling.Window, false)));
        Assert.Contains("00002.h5: video v, frame 2, instance 2: the mask covers no pixel", failure.Message);
        ClipSets.EmptyMask(Root, "v", 5, 0);
        Assert.Contains("100 masks in a row", Assert.Throws<DataException>(() => Load(dataset)).Message);
    }

    [Fact]
    public void What_is_missing_is_named()
    {
        ClipSets.WriteA2d(Root, "test", ("dog", "v", 3, 2));
        A2dDataset dataset = new(A2dData.Load(Root, "test"), ClipSets.Tokenizer, 32, 4, ClipSampling.Window, false);
        Assert.Contains(Path.Combine(Root, "clips320H", "v.mp4"), Assert.Throws<DataException>(() => Load(dataset)).Message);
        ClipSets.AddFrames(Root, "v", 2);
        Assert.Contains("video v, frame 3, instance 2: the clip has only 2 frames", Assert.Throws<DataException>(() => Load(dataset)).Message);
        Directory.Delete(Path.Combine(Root, "a2d_annotation_with_instances"), recursive: true);
        Assert.Contains("00003.h5: video v, frame 3, instance 2: there is no such file", Assert.Throws<DataException>(() => Load(dataset)).Message);
        Assert.Contains("train_annotations.json", Assert.Throws<DataException>(() => A2dData.Load(Root, "train")).Message);
    }

    [Theory]
    [InlineData("[[\"dog\", \"v\", 0, 1]]", "frames count from 1")]
    [InlineData("[[\"dog\", \"../v\", 1, 1]]", "no file name")]
    [InlineData("[[\"dog\", \"v\", 1]]", "not [text, video, frame, instance]")]
    [InlineData("{\"a\": 1}", "not the sentences of A2D")]
    public void Broken_sentences_are_named(string json, string expected)
    {
        string file = _folder.File("a2d_sentences_single_frame_test_annotations.json", System.Text.Encoding.UTF8.GetBytes(json));
        DataException failure = Assert.Throws<DataException>(() => A2dData.Load(Root, "test"));
        Assert.Contains(file, failure.Message);
        Assert.Contains(expected, failure.Message);
    }

    [Fact]
    public void A_clip_shows_the_same_frames_as_a_folder_of_pictures()
    {
        ClipSets.NeedFfmpeg();
        ClipSets.WriteA2d(Root, "test", ("dog", "v", 2, 2), ("cat", "w", 2, 2));
        ClipSets.AddClip(Root, "v", 12);
        ClipSets.AddFrames(Root, "w", 12);
        A2dDataset dataset = new(A2dData.Load(Root, "test"), ClipSets.Tokenizer, 32, 6, ClipSampling.Window, false);
        ClipItem clip = Load(dataset, new ClipChoice(0, 0)), pictures = Load(dataset, new ClipChoice(1, 0));
        Assert.Equal("0 0 0 1 2 3", string.Join(' ', ClipSets.FramesShown(clip)));
        Assert.Equal(ClipSets.FramesShown(pictures), ClipSets.FramesShown(clip));
        Assert.Equal((pictures.OriginalRows, pictures.OriginalColumns), (clip.OriginalRows, clip.OriginalColumns));
    }

    [Fact]
    public void A_broken_clip_is_named_with_its_sentence()
    {
        ClipSets.NeedFfmpeg();
        ClipSets.WriteA2d(Root, "test", ("dog", "v", 2, 2));
        ClipSets.AddClip(Root, "v", 12);
        string file = Path.Combine(Root, "clips320H", "v.mp4");
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..400]);
        A2dDataset dataset = new(A2dData.Load(Root, "test"), ClipSets.Tokenizer, 32, 6, ClipSampling.Window, false);
        DataException failure = Assert.Throws<DataException>(() => Load(dataset));
        Assert.StartsWith($"{file}: video v, frame 2, instance 2: the video is cut off, damaged or none at all", failure.Message);
    }

    private static ClipItem Load(IClipDataset dataset, ClipChoice choice = default) => new ClipLoader(dataset, 1, 0).Read([choice], dropLast: false).Single()[0];
}
