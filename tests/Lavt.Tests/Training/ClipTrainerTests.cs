using Lavt.Options;
using Lavt.Tests.Clips;
using Lavt.Tests.Data;
using Lavt.Training;
using Xunit;

namespace Lavt.Tests.Training;

public sealed class ClipTrainerTests(SmallVideos videos) : IClassFixture<SmallVideos>
{
    private TrainingResult Train(string name, string more, int stopAfter = int.MaxValue) => Train(name, more, new SmallRun.Observer(stopAfter));

    private TrainingResult Train(string name, string more, SmallRun.Observer observer) =>
        new Trainer(videos.Options(name, more), observer, videos.PathOf("logs")).Run(observer.Token);

    [Theory]
    [InlineData("ytvos", "--model lavt_video")]
    [InlineData("a2d", "--model lavt_video --use_checkpoint")]
    [InlineData("ytvos", "--model lavt_one")]
    public void A_run_that_was_stopped_within_an_epoch_ends_with_the_bits_of_one_that_was_not(string dataset, string model)
    {
        if (dataset == "a2d") ClipSets.NeedHdf5();
        string flags = $"--dataset {dataset} {model} --limit-train 9 --limit-val 1", name = $"{dataset}{model.GetHashCode(StringComparison.Ordinal)}";
        TrainingResult whole = Train("whole" + name, flags);
        TrainingResult stopped = Train("stopped" + name, flags, stopAfter: 2);
        Assert.False(stopped.IsFinished);
        TrainingResult resumed = Train("stopped" + name, $"{flags} --resume {stopped.LastCheckpoint}");
        Assert.True(whole.IsFinished && resumed.IsFinished);
        Assert.Equal(CheckpointContents.Of(whole.LastCheckpoint), CheckpointContents.Of(resumed.LastCheckpoint));
        Assert.Equal(whole.BestOverallIou, resumed.BestOverallIou);
    }

    [Fact]
    public void Training_on_the_annotated_frames_lowers_the_loss()
    {
        ClipSets.NeedHdf5();
        Train("learns", "--dataset a2d --epochs 16 --limit-train 6 --val-freq 16 --drop_path 0 --fusion_drop 0 --bert_dropout 0 --lr 3e-3");
        IReadOnlyList<StepRecord> steps = TrainingLog.ReadSteps(videos.PathOf("logs/learns"));
        Assert.Equal(32, steps.Count);
        Assert.True(steps.TakeLast(4).Average(step => step.Loss) < 0.85 * steps.Take(4).Average(step => step.Loss));
    }

    [Fact]
    public void Videos_are_validated_on_by_J_and_F()
    {
        TrainingResult result = Train("validates", "--dataset ytvos --epochs 1 --limit-train 3");
        ValidationRecord validation = Assert.Single(TrainingLog.ReadValidations(videos.PathOf("logs/validates")));
        Assert.NotNull(validation.JAndF);
        Assert.Equal(videos.Videos().Videos.Sum(video => video.Expressions.Count), validation.Sentences);
        Assert.Equal(validation.OverallIou, result.BestOverallIou);
    }

    [Fact]
    public void Without_true_masks_nothing_is_validated_and_the_run_says_so()
    {
        string root = videos.Copy("blind");
        Directory.Delete(Path.Combine(root, "valid", "Annotations"), recursive: true);
        var observer = new SmallRun.Observer();
        TrainingResult result = Train("blind", $"--dataset ytvos --epochs 1 --limit-train 3 --ytvos_data_root {root}", observer);
        Assert.True(result.IsFinished && result.BestOverallIou < 0 && File.Exists(result.LastCheckpoint));
        Assert.Contains(observer.Lines, line => line.Contains("the masks of the split valid are not there", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--dataset refs+ytvos")]
    [InlineData("--dataset joint")]
    [InlineData("--image_combined_3d_pretrain")]
    public void Pictures_are_trained_on_as_clips(string flags)
    {
        TrainingResult result = Train("pictures", $"{flags} --refer_data_root {DataGolden.Path("refer")} --epochs 1 --batch-size 2 --limit-train 4 --limit-val 2");
        Assert.True(result.IsFinished);
        Assert.True(result.BestOverallIou >= 0);
    }

    [Fact]
    public void A_video_model_is_not_trained_on_pictures()
    {
        OptionException error = Assert.Throws<OptionException>(() => Train("refused", "--dataset refcoco"));
        Assert.Equal("--dataset", error.Flag);
        Assert.Contains("--image_combined_3d_pretrain", error.Message, StringComparison.Ordinal);
    }
}
