using Lavt.Tensors;

namespace Lavt.Demo;

/// <summary>Random numbers one after the other that depend on seed and stream alone.</summary>
internal sealed class DemoRandom(ulong seed, ulong stream)
{
    private ulong _next;

    /// <summary>A whole number from 0 to <paramref name="count"/> − 1.</summary>
    public int Below(int count) => (int)(Philox.Block(seed, stream, _next++).X % (uint)count);

    /// <summary>A number in [<paramref name="low"/>, <paramref name="high"/>).</summary>
    public double Between(double low, double high) => low + (high - low) * (Philox.Block(seed, stream, _next++).X / 4294967296.0);

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
}
