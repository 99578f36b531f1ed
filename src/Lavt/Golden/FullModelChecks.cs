using Lavt.Autograd;
using Lavt.Models;
using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>Checks whole models: text features, stages, logits and masks, subsampled as the files are.</summary>
internal static unsafe class FullModelChecks
{
    private const int ChannelStride = 8;
    private const int TextStride = 16;

    /// <summary>Checks one file of the folder <c>full</c>.</summary>
    public static void Run(GoldenFile file, GoldenReport report, Device device)
    {
        using MemoryScope scope = MemoryScope.Begin();
        FullModel full = FullModel.Open(file, device);
        Tensor language = full.Language();
        if (file.Tensors.Contains("text_features"))
            Compare("text_features", Strided(Ops.To(language, Device.Cpu), 1, 1, TextStride));
        FeatureMap?[] maps = full.Maps(language);
        for (int i = 0; i < maps.Length; i++)
        {
            if (maps[i] is not { } map || !file.Tensors.Contains($"stage{i + 1}")) continue;
            int stride = map.Volume.Height > 16 && map.Volume.Width > 16 ? 4 : 2;
            Compare($"stage{i + 1}", Strided(Ops.To(map.AsFrames(), Device.Cpu).ViewPermuted(0, 3, 1, 2), 1, ChannelStride, stride, stride));
        }
        Tensor logits = full.Logits(maps);
        int step = file.Int("logits_stride");
        Compare("logits", Strided(logits, 1, 1, step, step));
        CompareStatistics(file, report, logits);

        void Compare(string name, Tensor actual) => report.Compare(file.Name, name, actual, file.Read(name), file.Error(name));
    }

    private static void CompareStatistics(GoldenFile file, GoldenReport report, Tensor logits)
    {
        int batch = logits.Shape[0], pixels = logits.Shape[2] * logits.Shape[3];
        Tensor means = Tensor.Empty([batch, 2], DType.F64), deviations = Tensor.Empty([batch, 2], DType.F64);
        Span<float> values = logits.Span<float>();
        long[] foreground = new long[batch];
        for (int i = 0; i < 2 * batch; i++)
        {
            Span<float> plane = values.Slice(i * pixels, pixels);
            double sum = 0, squares = 0;
            foreach (float v in plane) sum += v;
            foreach (float v in plane) squares += (v - sum / pixels) * (v - sum / pixels);
            means.Span<double>()[i] = sum / pixels;
            deviations.Span<double>()[i] = Math.Sqrt(squares / (pixels - 1));
        }
        for (int b = 0; b < batch; b++)
            for (int i = 0; i < pixels; i++)
                if (values[(2 * b + 1) * pixels + i] > values[2 * b * pixels + i]) foreground[b]++;
        report.Compare(file.Name, "logits_mean", means, file.Read("logits_mean"), file.Error("logits_mean"));
        report.Compare(file.Name, "logits_std", deviations, file.Read("logits_std"), file.Error("logits_std"));

        // A pixel whose two logits differ by less than the logits' own error may fall on either side.
        long[] expected = file.Read("foreground_pixels").ToArray<long>();
        double allowed = Math.Max(1, Math.Ceiling(GoldenReport.AllowedErrors * file.Error("logits") * pixels));
        for (int b = 0; b < batch; b++)
            report.Check(file.Name, $"foreground_pixels[{b}]", Math.Abs(foreground[b] - expected[b]) <= allowed, $"{foreground[b]} pixels, expected {expected[b]} ± {allowed}");
    }

    /// <summary>Every n-th element along each axis.</summary>
    private static Tensor Strided(Tensor x, params int[] steps)
    {
        int[] dims = x.Shape.ToArray();
        for (int i = 0; i < dims.Length; i++) dims[i] = (dims[i] + steps[i] - 1) / steps[i];
        Tensor y = Tensor.Empty(new Shape(dims));
        Span<float> to = y.Span<float>();
        float* from = x.Pointer<float>();
        int[] at = new int[dims.Length];
        for (int n = 0; n < to.Length; n++)
        {
            long offset = 0;
            for (int i = 0; i < dims.Length; i++) offset += at[i] * steps[i] * x.Stride(i);
            to[n] = from[offset];
            for (int i = dims.Length - 1; i >= 0 && ++at[i] == dims[i]; i--) at[i] = 0;
        }
        return y;
    }
}
