using System.Numerics;
using Lavt.Autograd;
using Lavt.Imaging;
using Lavt.Tensors;

namespace Lavt.Evaluation;

/// <summary>Makes masks of logits: a pixel belongs to the object where class 1 has the larger logit.</summary>
internal static class PredictedMask
{
    /// <summary>The mask of one item at the size of the logits.</summary>
    /// <param name="logits">[B, H, W, 2].</param>
    /// <param name="item">Which of the B items.</param>
    /// <param name="mask">Gets size and pixels.</param>
    /// <exception cref="NotFiniteException">A logit is no number.</exception>
    public static void Read(Tensor logits, int item, Mask mask)
    {
        RequireFinite(logits.ViewSlice(0, item, 1).Span<float>());
        mask.Reshape(logits.Shape[1], logits.Shape[2]);
        Span<byte> pixels = mask.Pixels;
        ReadOnlySpan<float> values = logits.Span<float>().Slice(item * 2 * pixels.Length, 2 * pixels.Length);
        for (int i = 0; i < pixels.Length; i++)
            pixels[i] = values[2 * i + 1] > values[2 * i] ? (byte)1 : (byte)0;
    }

    /// <summary>The mask of one item at another size; the logits are resized before they are compared.</summary>
    /// <exception cref="NotFiniteException">A logit is no number.</exception>
    public static void Read(Tensor logits, int item, int rows, int columns, Mask mask)
    {
        RequireFinite(logits.ViewSlice(0, item, 1).Span<float>());
        using MemoryScope scope = MemoryScope.Begin();
        mask.Reshape(rows, columns);
        Ops.BilinearMask(logits.ViewSlice(0, item, 1), rows, columns).Span<byte>().CopyTo(mask.Pixels);
    }

    /// <summary>How sure the model is of a mask: the mean probability of the object over its pixels, 0 … 1; 0 if it covers none.</summary>
    /// <param name="logits">[B, H, W, 2].</param>
    /// <param name="item">Which of the B items.</param>
    public static double Confidence(Tensor logits, int item)
    {
        int pixels = logits.Shape[1] * logits.Shape[2], covered = 0;
        ReadOnlySpan<float> values = logits.Span<float>().Slice(item * 2 * pixels, 2 * pixels);
        double sum = 0;
        for (int i = 0; i < values.Length; i += 2)
        {
            double lead = values[i + 1] - values[i];
            if (lead <= 0) continue;
            sum += 1 / (1 + Math.Exp(-lead));
            covered++;
        }
        return covered == 0 ? 0 : sum / covered;
    }

    private static void RequireFinite(ReadOnlySpan<float> values)
    {
        // 0 · x is 0 for every number, and NaN for NaN and the infinities.
        Vector<float> sums = default;
        int whole = values.Length - values.Length % Vector<float>.Count;
        for (int i = 0; i < whole; i += Vector<float>.Count) sums += new Vector<float>(values[i..]) * Vector<float>.Zero;
        float sum = Vector.Sum(sums);
        foreach (float value in values[whole..]) sum += 0 * value;
        if (float.IsNaN(sum)) throw new NotFiniteException();
    }
}
