using System.Globalization;
using System.Text.RegularExpressions;
using Lavt.Autograd;
using Lavt.Losses;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>Checks a loss and its gradient.</summary>
internal static partial class LossCheck
{
    /// <summary>The name of a loss as <c>--loss</c> has it.</summary>
    public static string NameOf(LossKind kind) => kind switch
    {
        LossKind.MultiClassDice => "mc_dice",
        LossKind.DiceFocal => "dice_focal",
        LossKind.DiceBoundary => "dice_boundary",
        _ => "ce",
    };

    public static void Run(GoldenFile file, GoldenReport report, Device device)
    {
        Shape shape = file.InputShape("logits");
        Tensor target = Ops.To(Target(file["target"], shape[0], shape[2], shape[3]), device);
        Tensor logits = Ops.To(Deterministic.Uniform("input.logits", shape, -3, 3).ViewPermuted(0, 2, 3, 1).Copy(), device).RequireGradient();
        TrainingOptions options = new() { Loss = Enum.GetValues<LossKind>().Single(kind => NameOf(kind) == file["module"]["--loss ".Length..]) };
        using Tape tape = Tape.Begin();
        Tensor loss = SegmentationLoss.Compute(options, logits, target);
        report.Compare(file.Name, "output.0", loss.ViewAs([1]), file.Read("output.0"), file.Error("output.0"));
        tape.Backward(loss);
        report.Compare(file.Name, "gradient.logits", logits.Gradient()?.ViewPermuted(0, 3, 1, 2), file.Read("gradient.logits"), file.Error("gradient.logits"));
        logits.ClearGradient();
    }

    /// <summary>A target as the metadata describes it: random, or zeros with boxes of ones.</summary>
    private static Tensor Target(string text, int batch, int height, int width)
    {
        Tensor target = Tensor.Zeros([batch, height, width], DType.U8);
        Span<byte> values = target.Span<byte>();
        if (text.StartsWith("integers", StringComparison.Ordinal))
        {
            Span<long> random = Deterministic.Integers("input.target", target.Shape, 0, 2).Span<long>();
            for (int i = 0; i < values.Length; i++) values[i] = (byte)random[i];
            return target;
        }
        foreach (Match box in Box().Matches(text))
        {
            (int y0, int y1) = Slice(box.Groups[2].Value, height);
            (int x0, int x1) = Slice(box.Groups[3].Value, width);
            int b = int.Parse(box.Groups[1].Value, CultureInfo.InvariantCulture);
            for (int y = y0; y < y1; y++) values.Slice((b * height + y) * width + x0, Math.Max(0, x1 - x0)).Fill(1);
        }
        return target;
    }

    /// <summary>The bounds of a Python slice such as <c>3:12</c>, <c>8:</c>, <c>:-2</c> or <c>:</c>.</summary>
    private static (int Start, int End) Slice(string text, int extent)
    {
        string[] parts = text.Split(':');
        return (Bound(parts[0], 0), Bound(parts[1], extent));

        int Bound(string part, int missing)
        {
            if (part.Length == 0) return missing;
            int value = int.Parse(part, CultureInfo.InvariantCulture);
            return Math.Clamp(value < 0 ? value + extent : value, 0, extent);
        }
    }

    [GeneratedRegex(@"\[(\d+),\s*(-?\d*:-?\d*),\s*(-?\d*:-?\d*)\]\s*=\s*1")]
    private static partial Regex Box();
}
