namespace Lavt.Tensors;

/// <summary>
/// Hands out streams of <see cref="Philox"/> numbers: each use takes the next stream, so that two values (seed and next
/// stream) are the whole state that a checkpoint stores.
/// </summary>
/// <param name="seed">The seed of every stream.</param>
/// <param name="next">The stream that the next use gets.</param>
public sealed class RandomSource(ulong seed, ulong next = 0)
{
    /// <summary>A source that fills nothing: for models whose weights are read from a file right away.</summary>
    public static readonly RandomSource None = new(0);

    /// <summary>The seed of every stream.</summary>
    public ulong Seed { get; } = seed;

    /// <summary>The stream that the next use gets.</summary>
    public ulong Next { get; set; } = next;

    /// <summary>Takes a stream.</summary>
    public ulong TakeStream() => Next++;

    /// <summary>Fills <paramref name="values"/> with numbers in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public void FillUniform(Span<float> values, float low, float high)
    {
        if (this == None) return;
        ulong stream = TakeStream();
        for (int i = 0; i < values.Length; i++)
            values[i] = low + (high - low) * Philox.Uniform(Seed, stream, (ulong)i);
    }

    /// <summary>Fills <paramref name="values"/> with normal numbers (Box–Muller) of mean 0.</summary>
    public void FillNormal(Span<float> values, float deviation)
    {
        if (this == None) return;
        ulong stream = TakeStream();
        for (int i = 0; i < values.Length; i++) values[i] = deviation * Normal(stream, (ulong)i, 0);
    }

    /// <summary>Fills <paramref name="values"/> with normal numbers of mean 0, drawn again where they lie beyond <paramref name="bound"/>.</summary>
    public void FillTruncatedNormal(Span<float> values, float deviation, float bound = 2f)
    {
        if (this == None) return;
        ulong stream = TakeStream();
        for (int i = 0; i < values.Length; i++)
        {
            float value;
            ulong attempt = 0;
            do value = deviation * Normal(stream, (ulong)i, attempt++);
            while (MathF.Abs(value) > bound);
            values[i] = value;
        }
    }

    /// <summary>A permutation of 0 … <paramref name="count"/> − 1 (Fisher–Yates).</summary>
    public int[] Permutation(int count)
    {
        ulong stream = TakeStream();
        int[] order = Enumerable.Range(0, count).ToArray();
        for (int i = count - 1; i > 0; i--)
        {
            (uint x, uint y, _, _) = Philox.Block(Seed, stream, (ulong)i);
            int j = (int)(((ulong)x << 32 | y) % (ulong)(i + 1));
            (order[i], order[j]) = (order[j], order[i]);
        }
        return order;
    }

    private float Normal(ulong stream, ulong index, ulong attempt)
    {
        (uint x, uint y, _, _) = Philox.Block(Seed, stream, index | attempt << 48);
        double radius = Math.Sqrt(-2 * Math.Log((x + 1.0) / 4294967296.0));
        return (float)(radius * Math.Cos(2 * Math.PI * y / 4294967296.0));
    }
}
