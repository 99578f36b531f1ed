using System.Globalization;
using System.Text.RegularExpressions;
using Lavt.Autograd;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>Checks the optimizer alone, and a few steps of training of a small model.</summary>
internal static class TrainingChecks
{
    private const double DoubleBar = 1e-6;
    private const double Float32LossBar = 2e-2;

    /// <summary>Checks one file of the folder <c>training</c>.</summary>
    public static void Run(GoldenFile file, GoldenReport report, Device device)
    {
        using MemoryScope scope = MemoryScope.Begin();
        if (file.Name.StartsWith("adamw", StringComparison.Ordinal)) OptimizerCheck(file, report, device);
        else TrajectoryCheck(file, report, device);
    }

    private static void OptimizerCheck(GoldenFile file, GoldenReport report, Device device)
    {
        Tensor expected = file.Read("parameter");
        (int steps, int n) = (expected.Shape[0], expected.Shape[1]);
        Tensor parameter = Ops.To(Deterministic.Uniform("parameter", [n]), device).RequireGradient();
        double[] betas = [.. file["betas"].Split(',').Select(b => double.Parse(b, CultureInfo.InvariantCulture))];
        AdamW optimizer = new([new ParameterGroup("all", [("parameter", parameter)], file.Double("weight_decay"))], file.Double("lr"), betas[0], betas[1], file.Double("eps"), file.Name.Contains("amsgrad", StringComparison.Ordinal));
        for (int step = 0; step < steps; step++)
        {
            // The gradient of Σ g·p is g.
            using (Tape tape = Tape.Begin())
                tape.Backward(Ops.Sum(Ops.Multiply(parameter, Ops.To(Ops.Scale(Deterministic.Uniform($"gradient.{step}", [n]), Math.Pow(10, step % 3 - 1)), device))));
            optimizer.Step();
            parameter.ClearGradient();
            report.Compare(file.Name, $"parameter after step {step}", Ops.To(parameter.Detach(), Device.Cpu), expected.ViewSlice(0, step, 1).ViewAs([n]), 0);
        }
    }

    /// <summary>
    /// Runs the steps twice, on a GPU in float32 alone. In double every number has to be the same to six digits. In float32 just the first step
    /// is: AdamW's first steps amplify rounding a thousandfold, and PyTorch's own float32 runs end 3e-3 to 1e-2 away from its
    /// float64 run, so that the later losses get a bar of that size.
    /// </summary>
    private static void TrajectoryCheck(GoldenFile file, GoldenReport report, Device device)
    {
        ModelOptions options = Describe(file["model"]);
        if (!device.IsCuda) new TrainingTrajectory(file, options, DType.F64, device).Run(report, DoubleBar, DoubleBar);
        new TrainingTrajectory(file, options, DType.F32, device).Run(report, Float32LossBar, 0.2);
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
}
