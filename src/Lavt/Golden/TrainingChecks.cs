using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Lavt.Autograd;
using Lavt.Losses;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Training;

namespace Lavt.Golden;

/// <summary>Checks the optimizer alone, and a few steps of training of a small model.</summary>
internal static class TrainingChecks
{
    private const double LossBar = 2e-3;
    private const double FirstLossBar = 1e-5;

    /// <summary>Checks one file of the folder <c>training</c>.</summary>
    public static void Run(GoldenFile file, GoldenReport report)
    {
        using MemoryScope scope = MemoryScope.Begin();
        if (file.Name.StartsWith("adamw", StringComparison.Ordinal)) OptimizerCheck(file, report);
        else TrajectoryCheck(file, report);
    }

    private static void OptimizerCheck(GoldenFile file, GoldenReport report)
    {
        Tensor expected = file.Read("parameter");
        (int steps, int n) = (expected.Shape[0], expected.Shape[1]);
        Tensor parameter = Deterministic.Uniform("parameter", [n]).RequireGradient();
        double[] betas = [.. file["betas"].Split(',').Select(b => double.Parse(b, CultureInfo.InvariantCulture))];
        AdamW optimizer = new([new ParameterGroup("all", [("parameter", parameter)], file.Double("weight_decay"))], file.Double("lr"), betas[0], betas[1], file.Double("eps"), file.Name.Contains("amsgrad", StringComparison.Ordinal));
        for (int step = 0; step < steps; step++)
        {
            // The gradient of Σ g·p is g.
            using (Tape tape = Tape.Begin())
                tape.Backward(Ops.Sum(Ops.Multiply(parameter, Ops.Scale(Deterministic.Uniform($"gradient.{step}", [n]), Math.Pow(10, step % 3 - 1)))));
            optimizer.Step();
            parameter.ClearGradient();
            report.Compare(file.Name, $"parameter after step {step}", parameter, expected.ViewSlice(0, step, 1).ViewAs([n]), 0);
        }
    }

    private static void TrajectoryCheck(GoldenFile file, GoldenReport report)
    {
        LavtModel model = new(Describe(file["model"]), RandomSource.None);
        GoldenFile.SetParameters(model);
        model.SetMode(training: true);
        TrainingOptions training = new() { Loss = Enum.GetValues<LossKind>().Single(kind => LossCheck.NameOf(kind) == file["loss"]) };
        IReadOnlyList<ParameterGroup> groups = ParameterGroups.Of(model, TrainedLanguage.Encoder10, file.Double("weight_decay"));
        AdamW optimizer = new(groups, file.Double("lr"), amsgrad: bool.Parse(file["amsgrad"]));
        PolynomialSchedule schedule = new(file.Double("lr"), file.Int("total_steps"));
        int batch = file.Int("batch"), size = file.Int("image");
        Tensor mask = Masks.FirstWords(20, 12, 5);
        double[] losses = file.Read("loss").ToArray<double>(), rates = file.Read("learning_rate").ToArray<double>(), norms = file.Read("gradient_norm").ToArray<double>();
        Tensor picture = mask, language = mask;
        for (int step = 0; step < losses.Length; step++)
        {
            optimizer.LearningRate = schedule.Rate(step);
            picture = Deterministic.Uniform($"step.{step}.image", [batch, 3, size, size], -2, 2);
            language = Deterministic.Uniform($"step.{step}.language", [batch, 768, 20]).ViewPermuted(0, 2, 1).Copy();
            double loss;
            using (MemoryScope inner = MemoryScope.Begin())
            {
                using Tape tape = Tape.Begin();
                Tensor value = SegmentationLoss.Compute(training, model.Forward(picture, language, mask), Target(batch, size, step));
                loss = value.Item<float>();
                tape.Backward(value);
            }
            Near($"loss of step {step}", loss, losses[step], step == 0 ? FirstLossBar : LossBar);
            Near($"learning rate of step {step}", optimizer.LearningRate, rates[step], 1e-9);
            Near($"gradient norm of step {step}", optimizer.GradientNorm(), norms[step], step == 0 ? 1e-4 : 2e-2);
            optimizer.Step();
            model.ClearGradients();
        }
        CompareWeights(file, report, model);
        model.SetMode(training: false);
        Tensor logits = model.Forward(picture, language, mask).ViewPermuted(0, 3, 1, 2);
        report.Compare(file.Name, "final_logits", EveryFourth(logits), file.Read("final_logits"), 5e-3);

        void Near(string item, double actual, double expected, double bar) =>
            report.Check(file.Name, item, Math.Abs(actual - expected) <= bar * Math.Abs(expected), $"{actual:G7}, expected {expected:G7}, bar {bar:E0}");
    }

    private static void CompareWeights(GoldenFile file, GoldenReport report, LavtModel model)
    {
        string[] names = [.. JsonDocument.Parse(file["parameter_names"]).RootElement.EnumerateArray().Select(e => e.GetString()!)];
        double[] expected = file.Read("parameter_abs_mean").ToArray<double>();
        Dictionary<string, Tensor> own = model.Parameters().ToDictionary(p => p.Name, p => p.Value);
        double worst = 0;
        string where = "";
        for (int i = 0; i < names.Length; i++)
        {
            double mean = own[names[i]].ToArray<float>().Average(v => Math.Abs((double)v));
            double error = Math.Abs(mean - expected[i]) / expected[i];
            if (error > worst) (worst, where) = (error, names[i]);
        }
        report.Check(file.Name, "parameter_abs_mean", worst <= 2e-2, $"largest relative error {worst:E1} at {where}, bar 2E-02");
    }

    private static ModelOptions Describe(string text)
    {
        string Value(string key) => Regex.Match(text, $@"(?<!PWAM ){key} ([\d,]+)").Groups[1].Value.Trim(',');
        PerStage Stages(string key) => PerStage.Parse(Value(key).Replace(',', '-'));
        return new ModelOptions
        {
            EmbedDim = int.Parse(Value("embed_dim"), CultureInfo.InvariantCulture),
            Depths = Stages("depths"),
            Heads = Stages("heads"),
            Window = int.Parse(Value("window"), CultureInfo.InvariantCulture),
            DropPath = 0,
            Bert = new BertOptions { Layers = 0, VocabularySize = 1 },
        };
    }

    private static Tensor Target(int batch, int size, int step)
    {
        Tensor target = Tensor.Zeros([batch, size, size], DType.U8);
        Fill(0, 10 + step, 50, 20, 70);
        Fill(1, 40, 90, 5, 60 - step);
        return target;

        void Fill(int sample, int y0, int y1, int x0, int x1)
        {
            for (int y = y0; y < y1; y++) target.Span<byte>().Slice((sample * size + y) * size + x0, x1 - x0).Fill(1);
        }
    }

    private static Tensor EveryFourth(Tensor logits)
    {
        (int batch, int height, int width) = (logits.Shape[0], logits.Shape[2], logits.Shape[3]);
        float[] values = logits.ToArray<float>();
        List<float> kept = [];
        for (int plane = 0; plane < 2 * batch; plane++)
            for (int y = 0; y < height; y += 4)
                for (int x = 0; x < width; x += 4)
                    kept.Add(values[(plane * height + y) * width + x]);
        return Tensor.From(kept.ToArray(), [batch, 2, (height + 3) / 4, (width + 3) / 4]);
    }
}
