namespace Lavt.Tensors;

/// <summary>
/// Counter-based random numbers: Philox4x32-10 of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
/// 1, 2, 3" (SC 2011). Number i of a stream depends on the seed, the stream and i alone, so that results do not depend on
/// threads or devices and a forward pass can be repeated with the same numbers.
/// </summary>
public static class Philox
{
    /// <summary>Four 32-bit numbers for a counter and a key.</summary>
    public static (uint X, uint Y, uint Z, uint W) Block(ulong seed, ulong stream, ulong counter)
    {
        uint c0 = (uint)counter, c1 = (uint)(counter >> 32), c2 = (uint)stream, c3 = (uint)(stream >> 32);
        uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
        for (int round = 0; round < 10; round++)
        {
            ulong p0 = 0xD2511F53UL * c0;
            ulong p1 = 0xCD9E8D57UL * c2;
            (c0, c1, c2, c3) = ((uint)(p1 >> 32) ^ c1 ^ k0, (uint)p1, (uint)(p0 >> 32) ^ c3 ^ k1, (uint)p0);
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }
        return (c0, c1, c2, c3);
    }

    /// <summary>A number in [0, 1) with 24 bits, number <paramref name="index"/> of the stream.</summary>
    public static float Uniform(ulong seed, ulong stream, ulong index)
    {
        (uint x, uint y, uint z, uint w) = Block(seed, stream, index >> 2);
        uint bits = (index & 3) switch { 0 => x, 1 => y, 2 => z, _ => w };
        return (bits >> 8) * (1f / 16777216f);
    }
}
