using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Training;
using Xunit;

namespace Lavt.Tests.Training;

public sealed class TrainerTests(SmallRun run) : IClassFixture<SmallRun>
{
    private TrainingResult Train(string name, string more = "", int stopAfter = int.MaxValue)
    {
        var observer = new SmallRun.Observer(stopAfter);
        return new Trainer(run.Options(name, more), observer, run.PathOf("logs")).Run(observer.Token);
    }


    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(8)]
    public void A_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(int stopAfter)
    {
        TrainingResult whole = Train("whole");
        TrainingResult stopped = Train("stopped", stopAfter: stopAfter);
        Assert.False(stopped.IsFinished);
        TrainingResult resumed = Train("stopped", $"--resume {stopped.LastCheckpoint}");
        Assert.True(whole.IsFinished && resumed.IsFinished);
        Assert.Equal(CheckpointContents.Of(whole.LastCheckpoint), CheckpointContents.Of(resumed.LastCheckpoint));
        Assert.Equal(whole.BestOverallIou, resumed.BestOverallIou);
    }

    [Fact]
    public void Another_seed_gives_other_weights()
    {
        Dictionary<string, object?> a = CheckpointContents.Of(Train("seed0", "--epochs 1").LastCheckpoint), b = CheckpointContents.Of(Train("seed1", "--epochs 1 --seed 1").LastCheckpoint);
        Assert.NotEqual(a["model/backbone.patch_embed.proj.weight"], b["model/backbone.patch_embed.proj.weight"]);
    }

    [Fact]
    public void Threads_that_load_change_no_bit() =>
        Assert.Equal(
            CheckpointContents.Of(Train("workers0", "--epochs 1 --workers 0").LastCheckpoint),
            CheckpointContents.Of(Train("workers3", "--epochs 1 --workers 3").LastCheckpoint));

    [Fact]
    public void Training_lowers_the_loss()
    {
        Train("learns", "--epochs 12 --limit-train 6 --val-freq 12 --drop_path 0 --fusion_drop 0 --lr 3e-3");
        IReadOnlyList<StepRecord> steps = TrainingLog.ReadSteps(run.PathOf(Path.Combine("logs", "learns")));
        Assert.Equal(24, steps.Count);
        Assert.True(steps.TakeLast(4).Average(step => step.Loss) < 0.8 * steps.Take(4).Average(step => step.Loss));
        Assert.Equal(3e-3, steps[0].LearningRate);
        Assert.Equal(3e-3 * Math.Pow(1 - 23.0 / 24, 0.9), steps[23].LearningRate, 1e-12);
    }

    [Fact]
    public void Gradients_are_accumulated_over_several_batches()
    {
        Train("single", "--epochs 1 --val-freq 1");
        Train("double", "--epochs 1 --accumulate 2");
        int single = TrainingLog.ReadSteps(run.PathOf("logs/single")).Count;
        Assert.Equal(single / 2, TrainingLog.ReadSteps(run.PathOf("logs/double")).Count);
    }

    [Fact]
    public void Old_checkpoints_make_room_and_the_best_stays()
    {
        TrainingResult result = Train("keeps", "--epochs 4 --limit-train 3 --keep 2");
        string[] files = [.. Directory.GetFiles(run.Folder, "model_*_keeps*").Select(file => Path.GetFileName(file)).Order()];
        Assert.Equal(["model_best_keeps.pth", "model_epoch_keeps_002.pth", "model_epoch_keeps_003.pth", "model_last_keeps.pth"], files);
        Assert.Equal(File.ReadAllBytes(run.PathOf("model_epoch_keeps_003.pth")), File.ReadAllBytes(result.LastCheckpoint));
        double best = TrainingLog.ReadValidations(run.PathOf("logs/keeps")).Max(validation => validation.OverallIou);
        Assert.Equal(best, result.BestOverallIou);
    }

    [Fact]
    public void A_run_that_diverges_stops()
    {
        DivergedException error = Assert.Throws<DivergedException>(() => Train("diverges", "--lr 1e30 --epochs 3"));
        Assert.Contains("--lr", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_batch_that_is_larger_than_the_split_is_refused()
    {
        OptionException error = Assert.Throws<OptionException>(() => Train("large", "--batch-size 1000"));
        Assert.Equal("--batch-size", error.Flag);
    }

    [Fact]
    public void Weights_alone_cannot_be_resumed()
    {
        string file = run.PathOf("weights.pth");
        var tree = (PickleDict)PthFile.Read(Train("full", "--epochs 1").LastCheckpoint)!;
        PthFile.Write(file, new Dictionary<string, object?> { ["model"] = tree["model"], ["args"] = tree["args"] });
        Assert.Contains("no optimizer", Assert.Throws<WeightFileException>(() => Train("again", $"--resume {file}")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_optimizer_of_other_parameters_is_refused()
    {
        string file = Train("groups", "--epochs 1").LastCheckpoint;
        string message = Assert.Throws<WeightFileException>(() => Train("groups", $"--resume {file} --lang_enc_params encoder-10")).Message;
        Assert.Contains("--lang_enc_params", message, StringComparison.Ordinal);
    }
}
