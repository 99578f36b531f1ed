using Lavt.Cli;
using Lavt.Data.Clips;
using Lavt.Data.Hdf5;
using Lavt.Tests.Clips;
using Lavt.Tests.Training;
using Lavt.Training;
using Xunit;

namespace Lavt.Tests.Cli;

/// <summary>What users of clips and videos see: results, and one message where something is wrong.</summary>
public sealed class ClipCommandTests : IDisposable
{
    private const string Fusion = "--sep_t_pwam --conv3d_kernel_size_t 3-3-3 --conv3d_kernel_size_s 1-1-1 --w_t3x3_s1x1 --mm_t3x3_s1x1";
    private readonly SmallVideos _videos = new();

    public void Dispose() => _videos.Dispose();

    private Executable Run(string name, string arguments) =>
        Executable.RunIn(_videos.Folder, name, arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private string Checkpoint(string dataset = "ytvos") =>
        new Trainer(_videos.Options("good", $"--dataset {dataset} {Fusion} --epochs 1 --limit-train 3 --limit-val 1"), new SmallRun.Observer(), _videos.PathOf("models")).Run(default).LastCheckpoint;

    private static void AssertFails(Executable run, int code, params string[] named)
    {
        Assert.Equal(code, run.ExitCode);
        string message = Assert.Single(run.Errors.Split("error: ")[1..]);
        Assert.DoesNotContain("   at ", message, StringComparison.Ordinal);
        Assert.All(named, part => Assert.Contains(part, message, StringComparison.Ordinal));
    }

    /// <summary>The published command lines are understood as they stand: what stops them is the first file that is not here.</summary>
    [Theory]
    [InlineData("lavt-train", "--model lavt_video --dataset a2d --model_id a2d --batch-size 4 --lr 0.00006 --wd 1e-2 --swin_type tiny " + Fusion
        + " --pretrained_swin_weights ./pretrained_weights/swin_tiny_patch244_window877_kinetics400_1k.pth --epochs 40 --img_size 480 --ck_bert none", "swin_tiny_patch244_window877_kinetics400_1k.pth")]
    [InlineData("lavt-eval", "--model lavt_video --swin_type tiny --dataset a2d --conv3d_kernel_size_t 3-3-3 --conv3d_kernel_size_s 1-1-1 --w_t3x3_s1x1 --mm_t3x3_s1x1 "
        + "--num_frames 8 --split val --resume ./checkpoints/a2d.pth --sample_3 --img_size 480 --clip_length 16", "./checkpoints/a2d.pth")]
    [InlineData("lavt-eval", "1 --model lavt_video " + Fusion + " --swin_type tiny --dataset ytvos --split valid --resume ./models/ytvos.pth --img_size 480", "./models/ytvos.pth")]
    public void Published_command_lines_are_understood(string name, string arguments, string missing) =>
        AssertFails(Run(name, arguments), ExitCode.Checkpoint, missing);

    [Fact]
    public void Published_evaluations_run_on_small_weights()
    {
        ClipSets.NeedHdf5();
        string file = Checkpoint();
        // As published, the evaluation on A2D leaves the fusion's flag out; the weights say it.
        Executable a2d = Run("lavt-eval", $"--model lavt_video --dataset a2d --num_frames 8 --split val --resume {file} --sample_3 --clip_length 16 --a2d_masks {_videos.Where}");
        Assert.Equal(ExitCode.Ok, a2d.ExitCode);
        Assert.Contains("mAP 0.5:0.95", a2d.Output, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Ok, Run("lavt", $"score a2d a2d_predicted_masks {_videos.A2d}").ExitCode);
        Executable ytvos = Run("lavt-eval", $"1 --model lavt_video --dataset ytvos --split valid --resume {file} --zip masks.zip --visualize {_videos.Where}");
        Assert.Equal(ExitCode.Ok, ytvos.ExitCode);
        Assert.Contains("J&F", ytvos.Output, StringComparison.Ordinal);
        Assert.True(File.Exists(_videos.PathOf("masks.zip")));
        Executable score = Run("lavt", $"score ytvos ytv_results/{Path.GetFileNameWithoutExtension(file)}/valid {_videos.Data} --split valid");
        Assert.Equal(ExitCode.Ok, score.ExitCode);
        Assert.Equal(Number(ytvos.Output, "J&F"), Number(score.Output, "mean"));
    }

    [Fact]
    public void A_prediction_on_a_video_writes_masks_and_an_overlay()
    {
        ClipSets.NeedFfmpeg();
        string file = Checkpoint();
        ClipSets.AddClip(_videos.Folder, "film", 5);
        Executable run = Run("lavt", $"predict --video clips320H/film.mp4 --text circle --resume {file} --bert_tokenizer {_videos.Data} --img_size 32 --sliding_window 2 --out found");
        Assert.Equal(ExitCode.Ok, run.ExitCode);
        Assert.Equal(5, Directory.GetFiles(_videos.PathOf("found/film.mask0"), "*.png").Length);
        Assert.Equal(5, Lavt.Video.VideoReader.CountFrames(_videos.PathOf("found/film.overlay0.mp4")));
    }

    [Fact]
    public void A_broken_film_to_predict_on()
    {
        ClipSets.NeedFfmpeg();
        File.WriteAllBytes(_videos.PathOf("film.mp4"), new byte[500]);
        AssertFails(Run("lavt", $"predict --video film.mp4 --text circle --resume {Checkpoint()} --bert_tokenizer {_videos.Data}"), ExitCode.Data, "film.mp4");
    }

    [Fact]
    public void Broken_samples_of_videos_are_counted()
    {
        string file = Checkpoint(), root = _videos.Copy("broken");
        VideoEntry video = _videos.Videos().Videos[0];
        string frame = _videos.Videos(root).Data.FramePath(video.Name, video.Frames[2]);
        File.Delete(frame);
        Executable run = Run("lavt-eval", $"--dataset ytvos --split valid --resume {file} {_videos.Where.Replace(_videos.Data + " ", root + " ", StringComparison.Ordinal)}");
        AssertFails(run, ExitCode.BrokenSamples, frame);
        Assert.Contains("J&F", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_frame_stops_training_and_is_named()
    {
        VideoPieces train = ClipDatasets.OpenVideos(_videos.Options("bad").Data, "train", Lavt.Text.BertTokenizer.Load(_videos.Data), 4);
        foreach (VideoEntry video in train.Videos) File.Delete(train.Data.FramePath(video.Name, video.Frames[0]));
        AssertFails(Run("lavt-train", $"{_videos.Flags} --dataset ytvos --epochs 20 --val-freq 20 --model_id bad"), ExitCode.Data, "00000.jpg", "lavt data verify");
    }

    [Fact]
    public void Broken_clips_of_A2D_are_counted()
    {
        ClipSets.NeedHdf5();
        ClipSets.NeedFfmpeg();
        string file = Checkpoint();
        VideoEntry[] videos = [.. _videos.Videos().Videos];
        string clip = Path.Combine(_videos.A2d, "clips320H", videos[0].Name + ".mp4");
        Directory.CreateDirectory(Path.GetDirectoryName(clip)!);
        File.WriteAllBytes(clip, new byte[500]);
        string masks = Directory.GetFiles(Path.Combine(_videos.A2d, "a2d_annotation_with_instances", videos[1].Name)).Single();
        Hdf5Writer.Write(masks, ("instance", [1.0]), ("other", [1], [1]));
        Executable run = Run("lavt-eval", $"--dataset a2d --split val --resume {file} {_videos.Where}");
        Assert.Equal(ExitCode.BrokenSamples, run.ExitCode);
        Assert.Contains(clip, run.Errors, StringComparison.Ordinal);
        Assert.Contains(masks, run.Errors, StringComparison.Ordinal);
        Assert.Contains("reMask", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Picture_or_video_must_be_given() =>
        AssertFails(Run("lavt", "predict --text circle --resume x.pth"), ExitCode.Usage, "--image", "--video");

    private static string Number(string output, string row) =>
        output.Split('\n').Single(line => line.StartsWith(row, StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[^1];
}
