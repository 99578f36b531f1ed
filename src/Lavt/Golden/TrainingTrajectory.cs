using System.Text.Json;
using Lavt.Autograd;
using Lavt.Losses;
using Lavt.Models;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;
using Lavt.Training;

namespace Lavt.Golden;

/// <summary>A few steps of AdamW of a small model on made-up pictures, in float32 or double, on the CPU or a GPU.</summary>
internal sealed class TrainingTrajectory
{
    private const double FirstLossBar = 1e-5;
    private const double FirstNormBar = 1e-4;

    private readonly GoldenFile _file;
    private readonly DType _dtype;
    private readonly LavtModel _model;
    private readonly AdamW _optimizer;
    private readonly PolynomialSchedule _schedule;
    private readonly TrainingOptions _training;
    private readonly Tensor _mask;

    public TrainingTrajectory(GoldenFile file, ModelOptions options, DType dtype, Device device)
    {
        (_file, _dtype) = (file, dtype);
        Module.BuildsInDouble = dtype == DType.F64;
        _model = new LavtModel(options, RandomSource.None);
        Module.BuildsInDouble = false;
        GoldenFile.SetParameters(_model);
        _model.MoveTo(device);
        _training = new TrainingOptions { Loss = Enum.GetValues<LossKind>().Single(kind => LossCheck.NameOf(kind) == file["loss"]) };
        _optimizer = new AdamW(ParameterGroups.Of(_model, TrainedLanguage.Encoder10, file.Double("weight_decay")), file.Double("lr"), amsgrad: bool.Parse(file["amsgrad"]));
        _schedule = new PolynomialSchedule(file.Double("lr"), file.Int("total_steps"));
        _mask = Masks.FirstWords(20, 12, 5).To(dtype);
    }

    /// <summary>Makes the steps and compares losses, rates, gradient norms, weights and the logits at the end.</summary>
    public void Run(GoldenReport report, double lossBar, double laterBar)
    {
        double[] losses = _file.Read("loss").ToArray<double>(), rates = _file.Read("learning_rate").ToArray<double>(), norms = _file.Read("gradient_norm").ToArray<double>();
        _model.SetMode(training: true);
        for (int step = 0; step < losses.Length; step++)
        {
            _optimizer.LearningRate = _schedule.Rate(step);
            Near($"loss of step {step}", AddGradients(step), losses[step], step == 0 ? FirstLossBar : lossBar);
            Near($"learning rate of step {step}", _optimizer.LearningRate, rates[step], 1e-9);
            Near($"gradient norm of step {step}", _optimizer.GradientNorm(), norms[step], step == 0 ? FirstNormBar : laterBar);
            _optimizer.Step();
            _model.ClearGradients();
        }
        CompareWeights(report, laterBar);
        _model.SetMode(training: false);
        Tensor logits = Ops.To(Logits(losses.Length - 1), Device.Cpu).ViewPermuted(0, 3, 1, 2).To(DType.F32);
        report.Compare(_file.Name, $"final_logits in {_dtype}", EveryFourth(logits), _file.Read("final_logits"), laterBar / GoldenReport.AllowedErrors);

        void Near(string item, double actual, double expected, double bar) =>
            report.Check(_file.Name, $"{item} in {_dtype}", Math.Abs(actual - expected) <= bar * Math.Abs(expected), $"{actual:G7}, expected {expected:G7}, bar {bar:E0}");
    }

    private double AddGradients(int step)
    {
        using MemoryScope scope = MemoryScope.Begin();
        using Tape tape = Tape.Begin();
        int size = _file.Int("image");
        Tensor loss = SegmentationLoss.Compute(_training, Logits(step), Ops.To(Target(_file.Int("batch"), size, step), _model.Device));
        tape.Backward(loss);
        return Ops.To(loss.Detach(), Device.Cpu).To(DType.F64).Item<double>();
    }

    private Tensor Logits(int step)
    {
        int batch = _file.Int("batch"), size = _file.Int("image");
        Tensor picture = Deterministic.Uniform($"step.{step}.image", [batch, 3, size, size], -2, 2).To(_dtype);
        Tensor language = Deterministic.Uniform($"step.{step}.language", [batch, 768, 20]).ViewPermuted(0, 2, 1).Copy().To(_dtype);
        return _model.Forward(picture, language, _mask);
    }

    private void CompareWeights(GoldenReport report, double bar)
    {
        string[] names = [.. JsonDocument.Parse(_file["parameter_names"]).RootElement.EnumerateArray().Select(e => e.GetString()!)];
        double[] expected = _file.Read("parameter_abs_mean").ToArray<double>();
        Dictionary<string, Tensor> own = _model.Parameters().ToDictionary(p => p.Name, p => p.Value);
        double worst = 0;
        string where = "";
        for (int i = 0; i < names.Length; i++)
        {
            double error = Math.Abs(Ops.To(own[names[i]].Detach(), Device.Cpu).To(DType.F64).ToArray<double>().Average(Math.Abs) - expected[i]) / expected[i];
            if (error > worst) (worst, where) = (error, names[i]);
        }
        report.Check(_file.Name, $"parameter_abs_mean in {_dtype}", worst <= bar, $"largest relative error {worst:E1} at {where}, bar {bar:E0}");
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
