using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Imaging;
using Lavt.Tests.Data;
using Xunit;

namespace Lavt.Tests.Clips;

public sealed class YouTubeVosTests : IDisposable
{
    private readonly DataGolden.TemporaryFolder _folder = DataGolden.NewFolder();

    public void Dispose() => _folder.Dispose();

    private string Root => _folder.Folder;

    [Fact]
    public void Training_has_a_clip_for_each_part_of_a_video_and_sentence()
    {
        YouTubeVosDataset dataset = Training(frames: 4, ("b", 9, [1, 2]), ("a", 3, [1]));
        // Nine frames are three parts of up to four.
        Assert.Equal(7, dataset.Count);
        Assert.Equal("video b, expression 1", dataset.PlaceOf(5));
        Assert.Equal("video a, expression 0", dataset.PlaceOf(6));
    }

    [Fact]
    public void A_clip_holds_the_frames_and_masks_of_its_object()
    {
        YouTubeVosDataset dataset = Training(frames: 4, ("a", 9, [1]));
        foreach (ClipChoice choice in ClipPlan.Training(dataset, 3, 0))
        {
            ClipItem clip = Load(dataset, choice);
            int[] frames = clip.FrameIndices.ToArray();
            Assert.Equal(frames, ClipSets.FramesShown(clip));
            Assert.Contains(4 * choice.Sample, frames);
            Assert.Equal((ClipSets.Rows, ClipSets.Columns), (clip.OriginalRows, clip.OriginalColumns));
            for (int i = 0; i < 4; i++)
            {
                Mask mask = Mask.Load(Path.Combine(Root, "train", "Annotations", "a", ClipSets.FrameName(frames[i]) + ".png"));
                mask.KeepOnly(1);
                Assert.Equal(Resize.Nearest(mask, 32, 32).Pixels.ToArray(), clip.Mask(i).ToArray());
            }
            Assert.Equal(("the one that stays", "a/0"), (clip.Sentence, clip.Name));
            Assert.Equal(ClipSets.Tokenizer.Encode(clip.Sentence, 22).Ids, clip.Tokens.Ids);
        }
    }

    [Fact]
    public void A_clip_without_its_object_is_drawn_again()
    {
        // Object 2 is in the last frame only, which clips from the start of a long video rarely have.
        YouTubeVosDataset dataset = Training(frames: 4, ("a", 15, [2]));
        int[] firsts = [.. Enumerable.Range(0, 40).Select(i => Load(dataset, new ClipChoice(0, (ulong)i))).Select(clip =>
        {
            Assert.Contains(14, clip.FrameIndices.ToArray());
            Assert.Equal(clip.FrameIndices.Count(14), Enumerable.Range(0, 4).Count(i => clip.Mask(i).Contains((byte)1)));
            return clip.FrameIndices[0];
        })];
        Assert.True(firsts.Distinct().Count() > 1);
    }

    [Fact]
    public void An_object_that_never_appears_is_an_error_that_names_it()
    {
        YouTubeVosDataset dataset = Training(frames: 2, ("a", 6, [3]));
        DataException failure = Assert.Throws<DataException>(() => Load(dataset, new ClipChoice(0, 1)));
        Assert.Contains("meta_expressions.json: video a, expression 0: neither this clip nor 99 others", failure.Message);
    }

    [Fact]
    public void A_missing_frame_is_named_with_its_sentence()
    {
        YouTubeVosDataset dataset = Training(frames: 1, ("a", 3, [1]));
        string frame = Path.Combine(Root, "train", "JPEGImages", "a", "00005.jpg");
        File.Delete(frame);
        DataException failure = Assert.Throws<DataException>(() => Load(dataset, new ClipChoice(1, 1)));
        Assert.Contains($"{frame}: video a, expression 0: there is no such file", failure.Message);
    }

    [Fact]
    public void The_videos_of_test_are_not_among_those_of_valid()
    {
        ClipSets.WriteExpressions(Root, "valid", false, ("d", 4, [1]), ("b", 4, [1]), ("a", 4, [1]), ("c", 4, [1]));
        Assert.Equal(["a", "b", "c", "d"], YouTubeVosData.Load(Root, "valid").Videos.Select(video => video.Name));
        ClipSets.WriteExpressions(Root, "test", false, ("c", 4, [1]), ("a", 4, [1]));
        YouTubeVosData data = YouTubeVosData.Load(Root, "val");
        Assert.Equal(["b", "d"], data.Videos.Select(video => video.Name));
        Assert.Equal("valid", data.Split);
        Assert.Null(data.Videos[0].Expressions[0].Object);
    }

    [Theory]
    [InlineData("{\"videos\": {\"a\": {\"frames\": [\"0\"], \"expressions\": {\"0\": {\"exp\": \"x\"}}}}}", "video a, expression 0: the sentence has no obj_id")]
    [InlineData("{\"videos\": {\"a\": {\"frames\": [], \"expressions\": {}}}}", "video a: the video has no frames")]
    [InlineData("{\"videos\": {\"..\": {\"frames\": [\"0\"], \"expressions\": {}}}}", "no file name")]
    [InlineData("{\"videos\": {\"a\": {\"frames\": [\"0\"], \"expressions\": {\"0\": {\"exp\": \"x\", \"obj_id\": \"0\"}}}}}", "no palette index")]
    [InlineData("{\"clips\": 3}", "not the sentences of Refer-YouTube-VOS")]
    [InlineData("{", "not the sentences of Refer-YouTube-VOS")]
    public void Broken_sentences_are_named(string json, string expected)
    {
        string file = YouTubeVosData.ExpressionPathOf(Root, "train");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, json);
        DataException failure = Assert.Throws<DataException>(() => YouTubeVosData.Load(Root, "train"));
        Assert.Contains(file, failure.Message);
        Assert.Contains(expected, failure.Message);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Whole_videos_come_in_pieces_in_order(int threads)
    {
        ClipSets.AddVideo(Root, "valid", "a", 9);
        ClipSets.AddVideo(Root, "valid", "b", 3);
        ClipSets.WriteExpressions(Root, "valid", false, ("b", 3, [1]), ("a", 9, [1, 2]));
        VideoPieces videos = new(YouTubeVosData.Load(Root, "valid"), ClipSets.Tokenizer, 32, 4);
        Assert.Equal([new VideoPiece(0, 0, 4), new VideoPiece(0, 4, 4), new VideoPiece(0, 8, 1), new VideoPiece(1, 0, 3)], Enumerable.Range(0, videos.Count).Select(i => videos[i]));
        List<string> seen = [];
        foreach (ClipBatch batch in new ClipLoader(videos, 1, threads).Read(ClipPlan.Evaluation(videos), dropLast: false))
        {
            Assert.Equal(batch[0].FrameIndices.ToArray(), ClipSets.FramesShown(batch[0]));
            Assert.Equal(videos[batch.Index].Count * 32 * 32 * 3, batch[0].Frames.Length);
            seen.Add($"{batch[0].Name}: {string.Join(' ', batch[0].FrameIndices.ToArray())}");
        }
        Assert.Equal(["a: 0 1 2 3", "a: 4 5 6 7", "a: 8", "b: 0 1 2"], seen);
        Assert.Equal(2, videos.Sentences(0).Count);
        Assert.Equal(ClipSets.Tokenizer.Encode("the one that comes last", 22).Ids, videos.Sentences(0)[1].Ids);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Batches_do_not_depend_on_the_number_of_threads(int threads)
    {
        YouTubeVosDataset dataset = Training(frames: 4, ("a", 9, [1, 2]), ("b", 2, [1]));
        ClipChoice[] plan = [.. Enumerable.Range(0, 4).SelectMany(epoch => ClipPlan.Training(dataset, 3, epoch))];
        List<string> alone = Hashes(new ClipLoader(dataset, 3, 0), plan);
        Assert.Equal(9, alone.Count);
        Assert.Equal(alone, Hashes(new ClipLoader(dataset, 3, threads), plan));
        Assert.NotEqual(ClipPlan.Training(dataset, 3, 0), ClipPlan.Training(dataset, 3, 1));
        Assert.Equal(Enumerable.Range(0, 7), ClipPlan.Training(dataset, 3, 0).Select(choice => choice.Sample).Order());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_loader_marks_broken_clips_and_goes_on(int threads)
    {
        YouTubeVosDataset dataset = Training(frames: 1, ("a", 5, [1]));
        File.WriteAllBytes(Path.Combine(Root, "train", "JPEGImages", "a", "00010.jpg"), []);
        ClipLoader loader = new(dataset, 2, threads) { GoOnPastBroken = true };
        List<bool> broken = [];
        foreach (ClipBatch batch in loader.Read(ClipPlan.Evaluation(dataset), dropLast: false))
        {
            foreach (ClipItem clip in batch.Items) broken.Add(clip.Failure is not null);
        }
        Assert.Equal([false, false, true, false, false], broken);
        Assert.Throws<DataException>(() => new ClipLoader(dataset, 2, threads).Read(ClipPlan.Evaluation(dataset), dropLast: false).Count());
    }

    [Fact]
    public void Joined_sets_keep_their_order()
    {
        YouTubeVosDataset one = Training(frames: 2, ("a", 4, [1]));
        JoinedClips joined = new(one, one);
        Assert.Equal((4, "ytvos train + ytvos train"), (joined.Count, joined.Name));
        Assert.Equal("ytvos train, video a, expression 0", joined.PlaceOf(3));
        Assert.Equal(Hashes(new ClipLoader(one, 2, 0), [new(0, 1), new(1, 2)]), Hashes(new ClipLoader(joined, 2, 0), [new(2, 1), new(3, 2)]));
        Assert.Throws<ArgumentException>(() => new JoinedClips(one, Training(frames: 3, ("a", 4, [1]))));
    }

    private YouTubeVosDataset Training(int frames, params (string Video, int Frames, int[] Objects)[] videos)
    {
        foreach ((string video, int length, _) in videos) ClipSets.AddVideo(Root, "train", video, length);
        ClipSets.WriteExpressions(Root, "train", true, videos);
        return new YouTubeVosDataset(YouTubeVosData.Load(Root, "train"), ClipSets.Tokenizer, 32, frames);
    }

    private static ClipItem Load(IClipDataset dataset, ClipChoice choice) => new ClipLoader(dataset, 1, 0).Read([choice], dropLast: false).Single()[0];

    private static List<string> Hashes(ClipLoader loader, ClipChoice[] plan) =>
        [.. loader.Read(plan, dropLast: true).Select(batch => string.Join(' ', batch.Items.ToArray().Select(Hash)))];

    private static string Hash(ClipItem clip) =>
        Convert.ToHexString(System.Security.Cryptography.SHA256.HashData([.. clip.Frames, .. clip.Masks, .. clip.Tokens.Ids.Select(id => (byte)id)]));
}
