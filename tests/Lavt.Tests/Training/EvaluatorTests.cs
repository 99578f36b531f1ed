using Lavt.Data;
using Lavt.Evaluation;
using Lavt.Imaging;
using Lavt.Models;
using Lavt.Options;
using Lavt.Prediction;
using Lavt.Tensors;
using Lavt.Training;
using Xunit;

namespace Lavt.Tests.Training;

public sealed class EvaluatorTests(SmallRun run) : IClassFixture<SmallRun>
{
    private LavtModel Model() => new(run.Options("eval").Model, new RandomSource(3));

    private ReferDataset Dataset(string split = "testA", string? root = null)
    {
        LavtOptions options = run.Options("eval");
        DataOptions data = options.Data with { ReferRoot = root ?? options.Data.ReferRoot };
        return ReferDatasets.Open(data, split, ReferDatasets.LoadTokenizer(data, options.Model.Bert));
    }

    [Fact]
    public void The_number_of_sentences_per_batch_changes_no_result()
    {
        LavtModel model = Model();
        ReferDataset dataset = Dataset();
        EvaluationReport one = new Evaluator(model, dataset, 1, 0).Run(dataset.EvaluationPlan(), default);
        EvaluationReport five = new Evaluator(model, dataset, 5, 2).Run(dataset.EvaluationPlan(), default);
        Assert.Equal(dataset.SentenceCount, one.Results.Count);
        Assert.Equal(one.Results, five.Results);
        Assert.Equal(one.Scores.MeanIou, five.Scores.MeanIou);
    }

    [Fact]
    public void Scores_are_those_of_the_rows()
    {
        ReferDataset dataset = Dataset();
        EvaluationReport report = new Evaluator(Model(), dataset, 4, 0).Run(dataset.EvaluationPlan(), default);
        Assert.Equal(100 * report.Results.Average(result => result.Iou), report.Scores.MeanIou, 9);
        Assert.Equal(100.0 * report.Results.Sum(result => result.Intersection) / report.Results.Sum(result => result.Union), report.Scores.OverallIou, 9);
        Assert.Equal(100 * report.Results.Average(result => result.OriginalIou), report.OriginalSizeScores.MeanIou, 9);
        string file = run.PathOf("report.json");
        report.Save(file);
        Assert.Equal(report.Results, EvaluationReport.Load(file).Results);
        Assert.Contains("\"ref_id\"", File.ReadAllText(file), StringComparison.Ordinal);
    }

    [Fact]
    public void Swapped_sentences_are_of_another_object_of_the_picture()
    {
        ReferDataset dataset = Dataset();
        EvaluationReport swapped = new Evaluator(Model(), dataset, 4, 0) { SwapSentences = true }.Run(dataset.EvaluationPlan(), default);
        Assert.Equal(dataset.SentenceCount, swapped.Results.Count);
        foreach (SentenceResult result in swapped.Results)
        {
            ReferSample meant = Enumerable.Range(0, dataset.Count).Select(i => dataset[i]).Single(sample => sample.RefId == result.RefId);
            Assert.DoesNotContain(meant.Sentences, sentence => sentence.Raw == result.Text);
            Assert.Contains(Enumerable.Range(0, dataset.Count).Select(i => dataset[i]), other =>
                other.Image.Id == meant.Image.Id && other.AnnotationId != meant.AnnotationId && other.Sentences.Any(sentence => sentence.Raw == result.Text));
        }
    }

    [Fact]
    public void A_broken_picture_is_named_and_the_others_are_evaluated()
    {
        string root = run.PathOf("broken");
        Copy(run.Data, root);
        ReferDataset dataset = Dataset(root: root);
        string picture = dataset.Data.PicturePath(dataset[0]);
        File.WriteAllBytes(picture, File.ReadAllBytes(picture)[..200]);
        EvaluationReport report = new Evaluator(Model(), dataset, 4, 2).Run(dataset.EvaluationPlan(), default);
        int[] ofPicture = [.. Enumerable.Range(0, dataset.Count).Where(i => dataset[i].Image.Id == dataset[0].Image.Id)];
        Assert.Equal(ofPicture.Length, report.BrokenSamples.Count);
        Assert.All(report.BrokenSamples, broken => Assert.StartsWith(picture, broken, StringComparison.Ordinal));
        Assert.Equal(dataset.SentenceCount - ofPicture.Sum(i => dataset.Sentences(i).Count), report.Results.Count);
    }

    [Fact]
    public void A_prediction_is_what_the_evaluation_saw()
    {
        var observer = new SmallRun.Observer();
        TrainingResult trained = new Trainer(run.Options("predicts", "--epochs 1"), observer, run.PathOf("logs")).Run(default);
        LavtOptions options = run.Options("predicts", $"--resume {trained.LastCheckpoint}");
        TrainedModel model = TrainedModel.Load(options);
        ReferDataset dataset = Dataset();
        byte[]? seen = null;
        new Evaluator(model.Model, dataset, 1, 0) { MaskReady = mask => seen ??= mask.Mask.Pixels.ToArray() }.Run(dataset.EvaluationPlan(), default);
        Picture picture = Picture.Load(dataset.Data.PicturePath(dataset[0]));
        SentencePrediction prediction = Assert.Single(new Predictor(options).Predict(picture, [dataset[0].Sentences[0].Raw]));
        Assert.Equal(seen, prediction.Mask.Pixels.ToArray());
        Assert.Equal((picture.Rows, picture.Columns), (prediction.Mask.Rows, prediction.Mask.Columns));
    }

    [Fact]
    public void An_overlay_tints_the_mask_and_nothing_else()
    {
        var picture = new Picture(3, 4);
        picture.Pixels.Fill(100);
        var mask = new Mask(3, 4);
        mask.Pixels[5] = 1;
        Picture drawn = Overlay.Draw(picture, mask);
        for (int i = 0; i < 12; i++)
            Assert.Equal(i == 5, !drawn.Pixels.Slice(3 * i, 3).SequenceEqual(new byte[] { 100, 100, 100 }));
        Assert.Throws<ArgumentException>(() => Overlay.Draw(picture, new Mask(4, 3)));
    }

    private static void Copy(string from, string to)
    {
        foreach (string file in Directory.GetFiles(from, "*", SearchOption.AllDirectories))
        {
            string target = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }
    }
}
