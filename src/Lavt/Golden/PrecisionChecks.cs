using System.Globalization;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>
/// Judges a lower precision by its masks: those of whole models must agree with float32's at the full size, and with the
/// golden logits' where those are stored.
/// </summary>
internal static class PrecisionChecks
{
    private const double LeastOverlap = 0.99;

    /// <summary>Checks one file of the folder <c>full</c>.</summary>
    /// <param name="file">The file.</param>
    /// <param name="report">Where the results go.</param>
    /// <param name="machine">The device and the precision that is judged.</param>
    public static void Run(GoldenFile file, GoldenReport report, MachineOptions machine)
    {
        using MemoryScope scope = MemoryScope.Begin();
        FullModel full = FullModel.Open(file, machine.Device);
        Tensor exact = full.Logits(full.Maps(full.Language()));
        machine.PrepareForInference(full.Model);
        Tensor actual = full.Logits(full.Maps(full.Language()));
        int stride = file.Int("logits_stride");
        for (int b = 0; b < actual.Shape[0]; b++)
        {
            Check($"mask[{b}] against float32", Overlap(Foreground(actual, b, 1), Foreground(exact, b, 1)));
            Check($"mask[{b}] against the golden logits", Overlap(Foreground(actual, b, stride), Foreground(file.Read("logits"), b, 1)));
        }

        void Check(string item, double overlap) => report.Check(file.Name, item, overlap >= LeastOverlap,
            string.Create(CultureInfo.InvariantCulture, $"IoU {overlap:F5}, at least {LeastOverlap}"));
    }

    /// <summary>Where the object's logit is the larger one, in every <paramref name="step"/>-th row and column of a picture.</summary>
    private static bool[] Foreground(Tensor logits, int picture, int step)
    {
        int height = logits.Shape[2], width = logits.Shape[3];
        ReadOnlySpan<float> background = logits.Span<float>().Slice(2 * picture * height * width, height * width);
        ReadOnlySpan<float> target = logits.Span<float>().Slice((2 * picture + 1) * height * width, height * width);
        List<bool> mask = [];
        for (int y = 0; y < height; y += step)
            for (int x = 0; x < width; x += step)
                mask.Add(target[y * width + x] > background[y * width + x]);
        return [.. mask];
    }

    private static double Overlap(bool[] a, bool[] b)
    {
        int both = 0, either = 0;
        for (int i = 0; i < a.Length; i++)
        {
            if (a[i] && b[i]) both++;
            if (a[i] || b[i]) either++;
        }
        return either == 0 ? 1 : (double)both / either;
    }
}
