using Lavt.Data;
using Lavt.Data.Clips;
using Lavt.Evaluation;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Models;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Tests.Clips;
using Lavt.Tests.Training;
using Lavt.Text;
using Xunit;

namespace Lavt.Tests.Cuda;

/// <summary>Evaluation on the GPU: the rows of the CPU, in its order, with graphs for batches that return.</summary>
public sealed class EvaluatorOnGpuTests(SmallRun run, SmallVideos videos) : IClassFixture<SmallRun>, IClassFixture<SmallVideos>
{
    [Theory]
    [InlineData(1, 0)]
    [InlineData(4, 2)]
    public void Rows_equal_those_of_the_CPU(int batch, int threads)
    {
        ReferDataset dataset = Dataset(run.Data);
        EvaluationReport expected = new Evaluator(Model(Device.Cpu), dataset, batch, threads).Run(dataset.EvaluationPlan(), default);
        List<int> progress = [];
        DriverCalls start = DriverCalls.OfThisThread;
        EvaluationReport report = new Evaluator(Model(Gpu.Device.Device), dataset, batch, threads) { Progress = (done, _) => progress.Add(done) }.Run(dataset.EvaluationPlan(), default);
        AssertEqual(expected, report);
        Assert.Equal(dataset.SentenceCount, progress[^1]);
        Assert.Equal(progress.Order(), progress);
        Assert.True((DriverCalls.OfThisThread - start).Graphs > 0, "no batch came as a graph");
    }

    [Fact]
    public void A_broken_picture_is_left_out_as_on_the_CPU()
    {
        string root = run.PathOf("broken_on_gpu");
        foreach (string file in Directory.GetFiles(run.Data, "*.*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(root, Path.GetRelativePath(run.Data, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
        ReferDataset dataset = Dataset(root);
        string picture = dataset.Data.PicturePath(dataset[dataset.Count / 2]);
        File.WriteAllBytes(picture, File.ReadAllBytes(picture)[..200]);
        EvaluationReport expected = new Evaluator(Model(Device.Cpu), dataset, 2, 1).Run(dataset.EvaluationPlan(), default);
        EvaluationReport report = new Evaluator(Model(Gpu.Device.Device), dataset, 2, 1).Run(dataset.EvaluationPlan(), default);
        Assert.NotEmpty(report.BrokenSamples);
        Assert.Equal(expected.BrokenSamples, report.BrokenSamples);
        AssertEqual(expected, report);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Rows_of_clips_equal_those_of_the_CPU_and_broken_ones_are_left_out(int threads)
    {
        ClipSets.NeedHdf5();
        string root = Path.Combine(videos.Copy($"broken-on-gpu{threads}"), "a2d");
        A2dDataset dataset = new(A2dData.Load(root, "test"), BertTokenizer.Load(videos.Data), 32, 3, ClipSampling.Window, drawAgain: false);
        ClipChoice[] plan = [.. ClipPlan.Evaluation(dataset), .. ClipPlan.Evaluation(dataset)];
        string masks = Directory.GetFiles(Path.Combine(root, "a2d_annotation_with_instances", dataset[dataset.Count / 2].Video)).First();
        File.WriteAllBytes(masks, File.ReadAllBytes(masks)[..100]);
        EvaluationReport expected = new ClipEvaluator(Clips(Device.Cpu), dataset, threads).Run(plan, default);
        List<int> progress = [];
        List<string> seen = [];
        LavtModel model = Clips(Gpu.Device.Device);
        DriverCalls start = DriverCalls.OfThisThread;
        EvaluationReport report = new ClipEvaluator(model, dataset, threads) { Progress = (done, _) => progress.Add(done), MaskReady = mask => seen.Add(dataset[mask.Sample].Name) }.Run(plan, default);
        Assert.NotEmpty(report.BrokenSamples);
        Assert.Equal(expected.BrokenSamples, report.BrokenSamples);
        AssertEqual(expected, report);
        Assert.Equal(Enumerable.Range(1, plan.Length), progress);
        Assert.Equal(report.Results.Select(row => row.Name), seen);
        Assert.True((DriverCalls.OfThisThread - start).Graphs > 0, "no clip came as a graph");
    }

    /// <summary>The same sentences in the same order, with the same masks but for pixels at rounding distance from the other class.</summary>
    private static void AssertEqual(EvaluationReport expected, EvaluationReport report)
    {
        Assert.Equal(expected.Results.Select(row => (row.RefId, row.Text)), report.Results.Select(row => (row.RefId, row.Text)));
        Assert.Contains(expected.Results, row => row.Intersection > 0);
        Assert.All(expected.Results.Zip(report.Results), rows => Assert.Equal(rows.First.OriginalIou, rows.Second.OriginalIou, 0.02));
    }

    private LavtModel Model(Device device)
    {
        LavtModel model = new(run.Options("eval").Model, new RandomSource(3));
        model.MoveTo(device);
        return model;
    }

    private LavtModel Clips(Device device)
    {
        LavtModel model = new(videos.Options("eval").Model, new RandomSource(3));
        model.MoveTo(device);
        return model;
    }

    private ReferDataset Dataset(string root)
    {
        LavtOptions options = run.Options("eval");
        DataOptions data = options.Data with { ReferRoot = root };
        return ReferDatasets.Open(data, "testA", ReferDatasets.LoadTokenizer(data, options.Model.Bert));
    }
}
