using System.Globalization;
using System.Runtime.InteropServices;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>
/// A hash of 128 bits that tells contents apart (FNV-1a; Fowler, Noll and Vo). Not for secrets; the platform's SHA-256 would
/// need OpenSSL to be installed.
/// </summary>
internal sealed class ContentHash
{
    private static readonly UInt128 s_prime = new(0x1000000, 0x13B);

    private UInt128 _state = new(0x6C62272E07BB0142, 0x62B821756295C58D);

    /// <summary>Takes in bytes and where they end, so that ("ab", "c") and ("a", "bc") differ.</summary>
    public void Add(ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes) _state = (_state ^ value) * s_prime;
        _state = (_state ^ 0x100) * s_prime;
    }

    /// <summary>Takes in a text and where it ends.</summary>
    public void Add(string text) => Add(MemoryMarshal.AsBytes(text.AsSpan()));

    /// <summary>32 hexadecimal digits.</summary>
    public override string ToString() => _state.ToString("x32", CultureInfo.InvariantCulture);
}
