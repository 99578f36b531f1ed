using Lavt.Tensors;

namespace Lavt.Data;

/// <summary>Orders and random numbers of an epoch, which depend on seed and epoch alone.</summary>
internal static class EpochPlan
{
    /// <summary>The numbers 0 … <paramref name="count"/> − 1 in the order of an epoch of training.</summary>
    public static int[] Order(int count, ulong seed, int epoch) => new RandomSource(DataSeed(seed), Stream(epoch)).Permutation(count);

    /// <summary>A random number for one sample of an epoch.</summary>
    public static ulong Draw(int sample, ulong seed, int epoch)
    {
        (uint x, uint y, _, _) = Philox.Block(DataSeed(seed), Stream(epoch) + 1, (ulong)sample);
        return (ulong)x << 32 | y;
    }

    /// <summary>Keeps these numbers apart from those that the model draws with the same seed.</summary>
    private static ulong DataSeed(ulong seed) => seed ^ 0x6174_6144_7473_6F4CUL;

    private static ulong Stream(int epoch) => 2UL * (uint)epoch;
}
