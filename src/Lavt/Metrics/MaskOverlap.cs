using System.Runtime.Intrinsics;

namespace Lavt.Metrics;

/// <summary>How two masks cover each other.</summary>
/// <param name="Intersection">The number of pixels that both cover.</param>
/// <param name="Union">The number of pixels that at least one covers.</param>
public readonly record struct MaskOverlap(long Intersection, long Union)
{
    /// <summary>Intersection over union; 0 where the union is empty, as the published evaluation has it.</summary>
    public double Iou => Union == 0 ? 0 : (double)Intersection / Union;

    /// <summary>Region similarity J: intersection over union, 1 where both masks are empty, as the DAVIS evaluation has it.</summary>
    public double J => Union == 0 ? 1 : (double)Intersection / Union;

    /// <summary>The pixels of two pairs of masks together.</summary>
    public static MaskOverlap operator +(MaskOverlap a, MaskOverlap b) => new(a.Intersection + b.Intersection, a.Union + b.Union);

    /// <summary>Counts the pixels of two masks; every value but 0 is covered.</summary>
    /// <exception cref="ArgumentException">The lengths differ.</exception>
    public static MaskOverlap Of(ReadOnlySpan<byte> prediction, ReadOnlySpan<byte> truth)
    {
        if (prediction.Length != truth.Length)
            throw new ArgumentException($"the prediction has {prediction.Length} pixels, the truth {truth.Length}", nameof(truth));
        long intersection = 0, union = 0;
        int i = 0;
        for (; i <= prediction.Length - Vector256<byte>.Count; i += Vector256<byte>.Count)
        {
            Vector256<byte> empty = Vector256.Equals(Vector256.Create(prediction[i..]), Vector256<byte>.Zero);
            Vector256<byte> absent = Vector256.Equals(Vector256.Create(truth[i..]), Vector256<byte>.Zero);
            union += 32 - uint.PopCount((empty & absent).ExtractMostSignificantBits());
            intersection += 32 - uint.PopCount((empty | absent).ExtractMostSignificantBits());
        }
        for (; i < prediction.Length; i++)
        {
            if ((prediction[i] | truth[i]) != 0) union++;
            if (prediction[i] != 0 && truth[i] != 0) intersection++;
        }
        return new MaskOverlap(intersection, union);
    }
}
