using Lavt.Tensors;

namespace Lavt.Data;

/// <summary>Random numbers one after the other that depend on seed and stream alone.</summary>
internal sealed class RandomSequence(ulong seed, ulong stream)
{
    private ulong _next;

    /// <summary>A whole number from 0 to <paramref name="count"/> − 1.</summary>
    public int Below(int count) => (int)(Philox.Block(seed, stream, _next++).X % (uint)count);

    /// <summary>A number in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public double Between(double low, double high) => low + (high - low) * (Philox.Block(seed, stream, _next++).X / 4294967296.0);

    /// <summary>A normal number (Box–Muller) of mean 0 and deviation 1.</summary>
    public double Normal()
    {
        (uint x, uint y, _, _) = Philox.Block(seed, stream, _next++);
        return Math.Sqrt(-2 * Math.Log((x + 1.0) / 4294967296.0)) * Math.Cos(2 * Math.PI * y / 4294967296.0);
    }

    /// <summary>An index that is drawn in proportion to the weights.</summary>
    public int Weighted(ReadOnlySpan<double> weights)
    {
        double sum = 0;
        foreach (double weight in weights) sum += weight;
        double place = Between(0, sum);
        for (int i = 0; i < weights.Length - 1; i++)
        {
            place -= weights[i];
            if (place < 0) return i;
        }
        return weights.Length - 1;
    }

    /// <summary>Different entries of a list, in the order in which they were drawn.</summary>
    public int[] Choose(IEnumerable<int> from, int count)
    {
        int[] pool = [.. from];
        ArgumentOutOfRangeException.ThrowIfGreaterThan(count, pool.Length);
        for (int i = 0; i < count; i++)
        {
            int other = i + Below(pool.Length - i);
            (pool[i], pool[other]) = (pool[other], pool[i]);
        }
        return pool[..count];
    }
}
