using Lavt.Kernels.Cuda.Driver;
using Lavt.Nn.Weights;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Tests.Training;
using Lavt.Training;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Trainings of tiny models on the GPU, pictures and clips, with dropout and drop path: against the CPU, and against runs that were stopped.</summary>
public sealed class TrainerOnGpuTests(SmallRun pictures, SmallVideos videos) : IClassFixture<SmallRun>, IClassFixture<SmallVideos>
{
    private const string Short = "--limit-train 9 --limit-val 2 --epochs 1";

    [Theory]
    [InlineData("plain", "")]
    [InlineData("accumulated", "--accumulate 2 --batch-size 2 --loss ce --amsgrad")]
    [InlineData("recomputed", "--use_checkpoint --loss dice_boundary")]
    public void Losses_and_weights_are_those_of_the_CPU(string name, string flags)
    {
        TrainingResult cpu = Train(pictures, name, $"{Short} {flags}"), gpu = Train(pictures, name + "Gpu", $"{Short} {flags} --device {Gpu.Device.Device}");
        AssertSameLosses(pictures, name, least: 2);
        AssertClose(Weights(cpu.LastCheckpoint), Weights(gpu.LastCheckpoint), 1e-3);
    }

    [Fact]
    public void Losses_of_clips_are_those_of_the_CPU()
    {
        const string Flags = "--dataset ytvos --limit-train 6 --limit-val 1 --epochs 1";
        Train(videos, "clips", Flags);
        Train(videos, "clipsGpu", $"{Flags} --device {Gpu.Device.Device}");
        AssertSameLosses(videos, "clips", least: 2);
    }

    [Fact]
    public void A_step_is_one_graph_and_waits_for_the_loss_of_the_one_before_alone()
    {
        List<DriverCalls> readings = [];
        var observer = new StepObserver(() => readings.Add(DriverCalls.OfThisThread));
        new Trainer(pictures.Options("waits", $"--limit-train 9 --batch-size 1 --limit-val 1 --epochs 1 --precision fp16 --device {Gpu.Device.Device}"), observer, pictures.PathOf("logs")).Run(default);
        Assert.True(readings.Count >= 6);
        // The first two are launched kernel by kernel and captured; the last one is read without another one behind it.
        for (int i = 2; i + 1 < readings.Count; i++) Assert.Equal(new DriverCalls(Launches: 1, Graphs: 1, Allocations: 0, Waits: 1), readings[i] - readings[i - 1]);
    }

    [Fact]
    public void With_mixed_precision_products_are_rounded_and_weights_are_not()
    {
        TrainingResult full = Train(pictures, "fp32", $"{Short} --device {Gpu.Device.Device}"), mixed = Train(pictures, "amp", $"{Short} --use_amp --device {Gpu.Device.Device}");
        TrainingResult bf16 = Train(pictures, "bf16", $"{Short} --precision bf16 --device {Gpu.Device.Device}");
        Assert.Equal(CheckpointContents.Of(bf16.LastCheckpoint), CheckpointContents.Of(mixed.LastCheckpoint));
        Assert.NotEqual(Weights(full.LastCheckpoint), Weights(mixed.LastCheckpoint));
        AssertClose(Weights(full.LastCheckpoint), Weights(mixed.LastCheckpoint), 0.02);
    }

    [Theory]
    [InlineData("fp32")]
    [InlineData("fp16")]
    [InlineData("fp16 --batch-size 1 --accumulate 3")]
    public void A_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(string precision)
    {
        string flags = $"{Short} --device {Gpu.Device.Device} --precision {precision}";
        TrainingResult whole = Train(pictures, "whole", flags), stopped = Train(pictures, "stopped", flags, stopAfter: 1);
        Assert.False(stopped.IsFinished);
        TrainingResult resumed = Train(pictures, "stopped", $"{flags} --resume {stopped.LastCheckpoint}");
        Assert.True(whole.IsFinished && resumed.IsFinished);
        Assert.Equal(CheckpointContents.Of(whole.LastCheckpoint), CheckpointContents.Of(resumed.LastCheckpoint));
        Assert.Equal(whole.BestOverallIou, resumed.BestOverallIou);
        Assert.Equal(3, TrainingLog.ReadSteps(pictures.PathOf("logs/stopped")).Count);
        Assert.Equal(precision.StartsWith("fp16", StringComparison.Ordinal), CheckpointContents.Of(resumed.LastCheckpoint).ContainsKey("scaler/_growth_tracker"));
    }

    [Theory]
    [InlineData("cpu", "cuda")]
    [InlineData("cuda", "cpu")]
    public void A_checkpoint_goes_on_on_another_device(string before, string behind)
    {
        _ = Gpu.Device;
        string name = before + "First";
        TrainingResult expected = Train(pictures, "expected" + name, Short), stopped = Train(pictures, name, $"{Short} --device {before}", stopAfter: 1);
        TrainingResult resumed = Train(pictures, name, $"{Short} --device {behind} --resume {stopped.LastCheckpoint}");
        Assert.True(resumed.IsFinished);
        AssertClose(Weights(expected.LastCheckpoint), Weights(resumed.LastCheckpoint), 1e-3);
    }

    [Fact]
    public void A_run_that_diverges_stops()
    {
        DivergedException error = Assert.Throws<DivergedException>(() => Train(pictures, "diverges", $"--lr 1e30 --epochs 3 --device {Gpu.Device.Device}"));
        Assert.Contains("--lr", error.Message, StringComparison.Ordinal);
    }

    private static TrainingResult Train(SmallRun run, string name, string flags, int stopAfter = int.MaxValue) =>
        Train(run.Options(name, flags), run.PathOf("logs"), stopAfter);

    private static TrainingResult Train(SmallVideos run, string name, string flags) => Train(run.Options(name, flags), run.PathOf("logs"), int.MaxValue);

    private static TrainingResult Train(LavtOptions options, string logs, int stopAfter)
    {
        var observer = new SmallRun.Observer(stopAfter);
        return new Trainer(options, observer, logs).Run(observer.Token);
    }

    private static void AssertSameLosses(SmallRun run, string name, int least) => AssertSameLosses(run.PathOf($"logs/{name}"), least);

    private static void AssertSameLosses(SmallVideos run, string name, int least) => AssertSameLosses(run.PathOf($"logs/{name}"), least);

    private static void AssertSameLosses(string log, int least)
    {
        IReadOnlyList<StepRecord> expected = TrainingLog.ReadSteps(log), actual = TrainingLog.ReadSteps(log + "Gpu");
        Assert.True(expected.Count >= least && expected.Count == actual.Count);
        for (int i = 0; i < expected.Count; i++)
        {
            Assert.Equal((expected[i].Step, expected[i].Epoch, expected[i].LearningRate), (actual[i].Step, actual[i].Epoch, actual[i].LearningRate));
            // AdamW makes whole steps out of gradients that are zero but for rounding, so that later losses differ more.
            Assert.Equal(expected[i].Loss, actual[i].Loss, expected[i].Loss * (i == 0 ? 2e-6 : 2e-4));
        }
    }

    /// <summary>Calls back at each step.</summary>
    private sealed class StepObserver(Action step) : ITrainingObserver
    {
        public void Line(string text)
        {
        }

        public void Progress(TrainingProgress progress)
        {
            if (progress.Loss is not null) step();
        }
    }

    private static float[] Weights(string checkpoint)
    {
        var tree = (PickleDict)PthFile.Read(checkpoint)!;
        return [.. tree.Get<PickleDict>("model").Select(entry => entry.Value).OfType<Tensor>().Where(value => value.DType == DType.F32).SelectMany(value => value.ToArray<float>())];
    }

    private static void AssertClose(float[] expected, float[] actual, double bar)
    {
        double error = Math.Sqrt(expected.Zip(actual, (e, a) => Math.Pow((double)a - e, 2)).Sum()), norm = Math.Sqrt(expected.Sum(e => (double)e * e));
        Assert.True(error <= bar * norm, $"relative error {error / norm:E1}, bar {bar:E1}");
    }
}
