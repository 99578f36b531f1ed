using Lavt.Data;
using Lavt.Evaluation;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Models;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Tests.Cuda;
using Lavt.Tests.Training;
using Lavt.Text;
using Lavt.Training;
using Xunit;

namespace Lavt.Tests.Distributed;

/// <summary>Whole runs on devices of this process, CPUs and GPUs: training on pictures and clips, going on, evaluation.</summary>
public sealed class SharedTrainingTests(SmallRun run, SmallVideos videos) : IClassFixture<SmallRun>, IClassFixture<SmallVideos>
{
    private const double LossBar = 2e-5;

    /// <summary>A run of clips or pictures on CPUs, or on the first GPUs.</summary>
    private double[] Losses(bool ofClips, bool onGpus, int devices, string name, string flags)
    {
        LavtOptions Options(int rank) => ofClips
            ? videos.Options(name, $"{flags} --device {Name(rank)}")
            : run.Options(name, $"{flags} --device {Name(rank)}");
        string Name(int rank) => onGpus ? $"cuda:{rank}" : "cpu";
        string logs = ofClips ? videos.PathOf("logs") : run.PathOf("logs");
        var observer = new SmallRun.Observer();
        CudaDevice[]? gpus = onGpus ? Gpu.Devices([.. Enumerable.Range(0, devices)]) : null;
        if (devices == 1) new Trainer(Options(0), observer, logs).Run(observer.Token);
        else DeviceThreads.Run(devices, devices, group => new Trainer(Options(group.Rank), observer, logs, group).Run(observer.Token), gpus);
        return [.. TrainingLog.ReadSteps(Path.Combine(logs, name)).Select(step => step.Loss)];
    }

    [Theory]
    [InlineData(true, false, 2)]
    [InlineData(true, true, 2)]
    [InlineData(false, true, 4)]
    public void Clips_and_GPUs_share_batches_too(bool ofClips, bool onGpus, int devices)
    {
        string flags = ofClips ? "--dataset ytvos --limit-train 8 --limit-val 3 --epochs 1" : "--limit-train 8 --limit-val 3 --epochs 1", name = $"{ofClips}{onGpus}";
        double[] expected = Losses(ofClips, onGpus, 1, "one" + name, $"{flags} --batch-size 4");
        double[] actual = Losses(ofClips, onGpus, devices, "many" + name, $"{flags} --batch-size {4 / devices}");
        Assert.True(expected.Length >= 2 && expected.Length == actual.Length);
        Assert.Equal(expected[0], actual[0], 2e-6 * expected[0]);
        // AdamW makes whole steps out of gradients that are zero but for rounding, so that later losses differ more.
        for (int i = 1; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 2e-4 * expected[i]);
    }

    private TrainingResult Train(int devices, string name, string more, int stopAfter = int.MaxValue)
    {
        var observer = new SmallRun.Observer(stopAfter);
        if (devices == 1) return new Trainer(run.Options(name, more), observer, run.PathOf("logs")).Run(observer.Token);
        TrainingResult? result = null;
        DeviceThreads.Run(devices, devices, group =>
        {
            TrainingResult own = new Trainer(run.Options(name, more), observer, run.PathOf("logs"), group).Run(observer.Token);
            if (group.Rank == 0) result = own;
        });
        return result!;
    }

    private double[] Losses(string name) => [.. TrainingLog.ReadSteps(run.PathOf(Path.Combine("logs", name))).Select(step => step.Loss)];

    [Theory]
    [InlineData(2, "--batch-size 2", "")]
    [InlineData(4, "--batch-size 1 --shard-optimizer", "")]
    [InlineData(2, "--batch-size 1 --accumulate 2", "--accumulate 2 --batch-size 2")]
    [InlineData(2, "--batch-size 2 --loss ce", "--loss ce")]
    public void A_run_on_devices_has_the_losses_of_one_with_the_whole_batch(int devices, string flags, string wholeFlags)
    {
        const string Common = "--epochs 1 --batch-size 4 ";
        Train(1, "one", Common + wholeFlags);
        Train(devices, "shared", Common + flags);
        double[] expected = Losses("one"), actual = Losses("shared");
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], LossBar * expected[i]);
    }

    [Theory]
    [InlineData("")]
    [InlineData("--shard-optimizer")]
    public void A_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(string more)
    {
        string flags = "--batch-size 2 " + more;
        TrainingResult whole = Train(2, "whole" + more, flags), stopped = Train(2, "stopped" + more, flags, stopAfter: 3);
        Assert.False(stopped.IsFinished);
        TrainingResult resumed = Train(2, "stopped" + more, flags + " --resume auto");
        Assert.True(whole.IsFinished && resumed.IsFinished);
        Dictionary<string, object?> expected = CheckpointContents.Of(whole.LastCheckpoint);
        Assert.Equal(expected, CheckpointContents.Of(resumed.LastCheckpoint));
        Assert.Equal(Losses("whole" + more), Losses("stopped" + more));
        // The state is whole, whoever kept which part of it.
        Assert.Equal(expected.Keys, CheckpointContents.Of(Train(2, "plain", "--batch-size 2").LastCheckpoint).Keys);
    }

    [Fact]
    public void A_divided_optimizer_has_the_bits_of_a_whole_one_and_goes_on_with_any_number_of_devices()
    {
        TrainingResult plain = Train(2, "plain", "--batch-size 2 --epochs 1"), divided = Train(2, "divided", "--batch-size 2 --epochs 1 --shard-optimizer");
        Assert.Equal(CheckpointContents.Of(plain.LastCheckpoint), CheckpointContents.Of(divided.LastCheckpoint));
        TrainingResult one = Train(1, "one-goes-on", $"--batch-size 4 --epochs 2 --resume {divided.LastCheckpoint}");
        TrainingResult four = Train(4, "four-go-on", $"--batch-size 1 --epochs 2 --shard-optimizer --resume {divided.LastCheckpoint}");
        Assert.True(one.IsFinished && four.IsFinished);
        double[] expected = Losses("one-goes-on"), actual = Losses("four-go-on");
        for (int i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], LossBar * expected[i]);
    }

    [Fact]
    public void A_picture_that_one_device_cannot_read_stops_all_after_a_checkpoint()
    {
        string picture = Directory.EnumerateFiles(Path.Combine(run.Data, "images", "mscoco", "images", "train2014")).Order().First(), kept = picture + ".kept";
        File.Move(picture, kept);
        try
        {
            DataException error = Assert.Throws<DataException>(() => Train(2, "broken", "--batch-size 2 --epochs 3"));
            Assert.Contains(Path.GetFileName(picture), error.Message, StringComparison.Ordinal);
            Assert.True(File.Exists(run.PathOf("model_last_broken.pth")));
        }
        finally
        {
            File.Move(kept, picture);
        }
    }

    [Fact]
    public void GPUs_that_evaluate_together_report_what_one_reports()
    {
        CudaDevice[] gpus = Gpu.Devices(0, 1, 2);
        LavtOptions options = run.Options("evaluates");
        BertTokenizer tokenizer = ReferDatasets.LoadTokenizer(options.Data, options.Model.Bert);
        ReferDataset dataset = ReferDatasets.Open(options.Data, "val", tokenizer);
        EvaluationReport Report(CollectiveQueue group)
        {
            LavtModel model = new(options.Model, new RandomSource(4));
            model.MoveTo(gpus[group.Rank].Device);
            return new Evaluator(model, dataset, 2, 1) { Devices = group }.Run(dataset.EvaluationPlan(), default);
        }
        EvaluationReport one = Report(CollectiveQueue.Single);
        DeviceThreads.Run(3, 3, group =>
        {
            EvaluationReport shared = Report(group);
            Assert.Equal(one.Results, shared.Results);
            Assert.Equal((one.Scores.MeanIou, one.Scores.OverallIou, one.Scores.Sentences), (shared.Scores.MeanIou, shared.Scores.OverallIou, shared.Scores.Sentences));
        }, gpus);
    }

    [Fact]
    public void Devices_that_evaluate_together_report_what_one_reports()
    {
        LavtOptions options = run.Options("evaluates");
        BertTokenizer tokenizer = ReferDatasets.LoadTokenizer(options.Data, options.Model.Bert);
        ReferDataset dataset = ReferDatasets.Open(options.Data, "val", tokenizer);
        EvaluationReport Report(CollectiveQueue group) =>
            new Evaluator(new LavtModel(options.Model, new RandomSource(4)), dataset, 2, 1) { Devices = group }.Run(dataset.EvaluationPlan(), default);

        EvaluationReport one = Report(CollectiveQueue.Single);
        Assert.NotEmpty(one.Results);
        foreach (int devices in new[] { 2, 3, one.Results.Count + 2 })
        {
            DeviceThreads.Run(devices, 2, group =>
            {
                EvaluationReport shared = Report(group);
                Assert.Equal(one.Results, shared.Results);
                Assert.Equal((one.Scores.MeanIou, one.Scores.OverallIou, one.Scores.Sentences), (shared.Scores.MeanIou, shared.Scores.OverallIou, shared.Scores.Sentences));
                Assert.Equal(one.OriginalSizeScores.MeanIou, shared.OriginalSizeScores.MeanIou);
            });
        }
    }
}
