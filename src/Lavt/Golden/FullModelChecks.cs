using System.Globalization;
using Lavt.Autograd;
using Lavt.Models;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>Checks whole models: text features, stages, logits and masks, subsampled as the files are.</summary>
internal static unsafe class FullModelChecks
{
    private const int ChannelStride = 8;
    private const int TextStride = 16;

    /// <summary>Checks one file of the folder <c>full</c>.</summary>
    public static void Run(GoldenFile file, GoldenReport report)
    {
        ModelOptions options = ModelOptions.Parse(file["command"]);
        if (options.Model == ModelKind.LavtVideo)
        {
            report.Skip(file.Name, "video models are not a part of this build");
            return;
        }
        // The language features of `lavt` are an input; its BERT is not a part of the file.
        if (options.Model == ModelKind.Lavt) options = options with { Bert = options.Bert with { Layers = 0, VocabularySize = 1 } };
        LavtModel model = new(options, RandomSource.None);
        GoldenFile.SetParameters(model);
        using MemoryScope scope = MemoryScope.Begin();
        int batch = file.Int("batch"), height = file.Int("height"), width = file.Int("width"), words = file.Int("words");
        int[] valid = [.. file["valid_words"].Split(',').Select(v => int.Parse(v, CultureInfo.InvariantCulture))];
        Tensor mask = Masks.FirstWords(words, valid);
        Tensor picture = Deterministic.Uniform("input.image", [batch, 3, height, width], -2, 2);
        Tensor language = options.Model == ModelKind.LavtOne
            ? model.TextEncoder.Forward(Ids(batch, words, options.Bert.VocabularySize, mask), mask)
            : Deterministic.Uniform("input.language", [batch, options.Bert.HiddenSize, words]).ViewPermuted(0, 2, 1).Copy();

        if (file.Tensors.Contains("text_features"))
            Compare("text_features", Strided(language, 1, 1, TextStride));
        FeatureMap?[] maps = model.Backbone.Forward(model.Backbone.Prefix(picture), language, mask);
        for (int i = 0; i < maps.Length; i++)
        {
            if (maps[i] is not { } map || !file.Tensors.Contains($"stage{i + 1}")) continue;
            int stride = map.Height > 16 && map.Width > 16 ? 4 : 2;
            Compare($"stage{i + 1}", Strided(map.AsMap().ViewPermuted(0, 3, 1, 2), 1, ChannelStride, stride, stride));
        }
        Tensor logits = Ops.Bilinear(model.Decode(maps), height, width).ViewPermuted(0, 3, 1, 2).Copy();
        int step = file.Int("logits_stride");
        Compare("logits", Strided(logits, 1, 1, step, step));
        CompareStatistics(file, report, logits);

        void Compare(string name, Tensor actual) => report.Compare(file.Name, name, actual, file.Read(name), file.Error(name));
    }

    private static Tensor Ids(int batch, int words, int vocabulary, Tensor mask)
    {
        Tensor ids = Deterministic.Integers("input.ids", [batch, words], 0, vocabulary);
        Span<long> values = ids.Span<long>();
        for (int i = 0; i < values.Length; i++) values[i] *= (long)mask.Span<float>()[i];
        return ids;
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
