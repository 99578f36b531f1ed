using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The softmax over the keys of some queries, and its gradient. Scores come as multiples of ln 2, for powers of two are
/// cheaper than those of e. Rows are padded to whole vectors.
/// </summary>
internal static unsafe class AttentionSoftmax
{
    /// <summary>What scores are multiplied by to count in units of ln 2: log2(e).</summary>
    public const float Log2E = 1.44269504f;

    /// <summary>A score for lanes past the last key: nothing is left of their exponential in any sum.</summary>
    public const float NoKey = -1e30f;

    /// <summary>What Swin adds to the score of two tokens of different regions (Liu et al. 2021, section 3.2).</summary>
    private const float OtherRegion = -100f * Log2E;

    /// <summary>Adds the mask between regions to the scores of some queries.</summary>
    /// <param name="scores">[rows, length].</param>
    /// <param name="regions">The region number of each key [length].</param>
    /// <param name="positions">Which key each query is [rows].</param>
    /// <param name="rows">The number of queries.</param>
    /// <param name="length">The number of keys, padded.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void SeparateRegions<V>(float* scores, float* regions, int* positions, int rows, int length)
        where V : struct, ISimd<V>
    {
        for (int i = 0; i < rows; i++, scores += length)
        {
            V region = V.Broadcast(regions[positions[i]]);
            for (int j = 0; j < length; j += V.Width)
            {
                V distance = V.Abs(V.Load(regions + j) - region);
                V mask = V.SelectLess(distance, V.Broadcast(0.5f), V.Zero, V.Broadcast(OtherRegion));
                V.Store(V.Load(scores + j) + mask, scores + j);
            }
        }
    }

    /// <summary>Replaces the scores of some queries by 2^(score − largest score of the row).</summary>
    /// <param name="scores">[rows, length].</param>
    /// <param name="pastEnd">For the lanes of a row's last vector, 1 past the last key and 0 before; null: the row is full.</param>
    /// <param name="inverseSums">1 / the sum of each row's exponentials [rows].</param>
    /// <param name="rows">The number of queries.</param>
    /// <param name="length">The number of keys, padded.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Exponentials<V>(float* scores, float* pastEnd, float* inverseSums, int rows, int length)
        where V : struct, ISimd<V>
    {
        if (pastEnd != null)
        {
            float* last = scores + length - V.Width;
            for (int i = 0; i < rows; i++, last += length)
                V.Store(V.SelectLess(V.Load(pastEnd), V.Broadcast(0.5f), V.Load(last), V.Broadcast(NoKey)), last);
        }
        // First the largest of all rows, then all exponentials: row by row each would wait for the largest of its own.
        float* row = scores;
        for (int i = 0; i < rows; i++, row += length)
        {
            V largest = V.Load(row);
            for (int j = V.Width; j < length; j += V.Width) largest = V.Max(largest, V.Load(row + j));
            inverseSums[i] = V.MaxAcross(largest);
        }
        row = scores;
        for (int i = 0; i < rows; i++, row += length)
        {
            V largest = V.Broadcast(inverseSums[i]);
            V sum = V.Zero;
            for (int j = 0; j < length; j += V.Width)
            {
                V exponential = VectorMath.Exp2(V.Load(row + j) - largest);
                V.Store(exponential, row + j);
                sum += exponential;
            }
            inverseSums[i] = 1f / V.Sum(sum);
        }
    }

    /// <summary>
    /// Turns the exponentials of one query into probabilities, and the gradient with respect to them into the gradient
    /// with respect to the scores: dS = P ∘ (dP − Σ P ∘ dP).
    /// </summary>
    /// <param name="exponentials">Result of <see cref="Exponentials"/>; becomes P.</param>
    /// <param name="gradient">dP; becomes dS.</param>
    /// <param name="inverseSum">What <see cref="Exponentials"/> returned for the row.</param>
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
