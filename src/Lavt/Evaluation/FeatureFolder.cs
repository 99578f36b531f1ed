using System.Globalization;
using Lavt.Data.Clips;
using Lavt.Imaging;
using Lavt.Nn.Weights;
using Lavt.Tensors;

namespace Lavt.Evaluation;

/// <summary>
/// Writes pictures of the features of A2D-Sentences (<c>--save_feats</c>): <c>VIDEO/FRAME/INSTANCE_L1.png</c> to <c>_L4.png</c>, the
/// mean over the channels of each stage's map for the annotated frame, from blue for the least to red for the most.
/// </summary>
/// <param name="folder">Where they go.</param>
public sealed class FeatureFolder(string folder)
{
    private static readonly (double Red, double Green, double Blue)[] s_colours = [(5, 48, 97), (247, 247, 247), (103, 0, 31)];

    /// <summary>Writes the pictures of one sentence.</summary>
    /// <param name="sentence">The sentence.</param>
    /// <param name="frame">The annotated frame's place in the clip.</param>
    /// <param name="maps">The stages' maps [T, H, W, C], stage 1 first; null for a stage that gives none.</param>
    internal void Add(A2dSentence sentence, int frame, IReadOnlyList<Tensor?> maps)
    {
        string to = Path.Combine(folder, sentence.Video, sentence.Frame.ToString(CultureInfo.InvariantCulture));
        OutputPath.MakeFolder(to);
        for (int stage = 0; stage < maps.Count; stage++)
        {
            if (maps[stage] is { } map)
                Draw(map, frame).SavePng(Path.Combine(to, string.Create(CultureInfo.InvariantCulture, $"{sentence.Instance}_L{stage + 1}.png")));
        }
    }

    private static Picture Draw(Tensor map, int frame)
    {
        (int rows, int columns, int channels) = (map.Shape[1], map.Shape[2], map.Shape[3]);
        ReadOnlySpan<float> values = map.Span<float>().Slice(frame * rows * columns * channels, rows * columns * channels);
        float[] means = new float[rows * columns];
        for (int i = 0; i < means.Length; i++)
        {
            float sum = 0;
            foreach (float value in values.Slice(i * channels, channels)) sum += value;
            means[i] = sum / channels;
        }
        float least = means.Min(), range = Math.Max(means.Max() - least, float.Epsilon);
        Picture picture = new(rows, columns);
        for (int i = 0; i < means.Length; i++) Paint(picture.Pixels.Slice(3 * i, 3), 2.0 * (means[i] - least) / range);
        return picture;
    }

    /// <summary>A colour between those of <see cref="s_colours"/>, 0 … 2.</summary>
    private static void Paint(Span<byte> pixel, double place)
    {
        int below = Math.Min((int)place, s_colours.Length - 2);
        double share = place - below;
        (double Red, double Green, double Blue) a = s_colours[below], b = s_colours[below + 1];
        pixel[0] = (byte)Math.Round(a.Red + (b.Red - a.Red) * share);
        pixel[1] = (byte)Math.Round(a.Green + (b.Green - a.Green) * share);
        pixel[2] = (byte)Math.Round(a.Blue + (b.Blue - a.Blue) * share);
    }
}
