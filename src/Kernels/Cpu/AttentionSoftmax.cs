using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>The softmax over the keys of one query, and its gradient. Lengths are multiples of the vector width.</summary>
internal static unsafe class AttentionSoftmax
{
    /// <summary>An offset for lanes past the last key: their exponential is exactly 0.</summary>
    public const float NoKey = -1e30f;

    /// <summary>What Swin adds to the score of two tokens of different regions (Liu et al. 2021, section 3.2).</summary>
    private const float OtherRegion = -100f;

    /// <summary>
    /// Replaces the products q·k in <paramref name="row"/> by exp(score − largest score), where
    /// score = scale · product + offset, and returns 1 / their sum.
    /// </summary>
    /// <param name="row">The products of one query with all keys.</param>
    /// <param name="scale">What the products are multiplied by.</param>
    /// <param name="offsets">What is added to each; <see cref="NoKey"/> in lanes past the last key.</param>
    /// <param name="regions">The region number of each key, or null where all tokens are of one region.</param>
    /// <param name="region">The region number of the query.</param>
    /// <param name="length">The number of keys, padded.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static float Exponentials<V>(float* row, float scale, float* offsets, float* regions, float region, int length)
        where V : struct, ISimd<V>
    {
        V factor = V.Broadcast(scale);
        V largest = V.Broadcast(float.NegativeInfinity);
        for (int j = 0; j < length; j += V.Width)
        {
            V score = V.MultiplyAdd(V.Load(row + j), factor, V.Load(offsets + j));
            if (regions != null)
            {
                V distance = V.Abs(V.Load(regions + j) - V.Broadcast(region));
                score += V.SelectLess(distance, V.Broadcast(0.5f), V.Zero, V.Broadcast(OtherRegion));
            }
            V.Store(score, row + j);
            largest = V.Max(largest, score);
        }
        V top = V.Broadcast(V.MaxAcross(largest));
        V sum = V.Zero;
        for (int j = 0; j < length; j += V.Width)
        {
            V exponential = VectorMath.Exp(V.Load(row + j) - top);
            V.Store(exponential, row + j);
            sum += exponential;
        }
        return 1f / V.Sum(sum);
    }

    /// <summary>
    /// Turns the exponentials of one query into probabilities, and the gradient with respect to them into the gradient
    /// with respect to the scores: dS = P ∘ (dP − Σ P ∘ dP).
    /// </summary>
    /// <param name="exponentials">Result of <see cref="Exponentials"/>; becomes P.</param>
    /// <param name="gradient">dP; becomes dS.</param>
    /// <param name="inverseSum">What <see cref="Exponentials"/> returned.</param>
    /// <param name="offsetGradient">dS is added here unless this is null.</param>
    /// <param name="length">The number of keys, padded.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Gradient<V>(float* exponentials, float* gradient, float inverseSum, float* offsetGradient, int length)
        where V : struct, ISimd<V>
    {
        V factor = V.Broadcast(inverseSum);
        V weighted = V.Zero;
        for (int j = 0; j < length; j += V.Width)
        {
            V probability = V.Load(exponentials + j) * factor;
            V.Store(probability, exponentials + j);
            weighted = V.MultiplyAdd(probability, V.Load(gradient + j), weighted);
        }
        V mean = V.Broadcast(V.Sum(weighted));
        for (int j = 0; j < length; j += V.Width)
        {
            V scoreGradient = V.Load(exponentials + j) * (V.Load(gradient + j) - mean);
            V.Store(scoreGradient, gradient + j);
            if (offsetGradient != null) V.Store(V.Load(offsetGradient + j) + scoreGradient, offsetGradient + j);
        }
    }
}
