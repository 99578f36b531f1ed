using System.Numerics;

namespace Lavt.Nn.Weights;

/// <summary>
/// A key of a <see cref="PickleDict"/> in the form in which it is compared. Keys are bounded in length: hashing the same
/// long key again and again would let a small file take hours.
/// </summary>
internal readonly struct PickleKey : IEquatable<PickleKey>
{
    private const int MaxLength = 4096;
    private const int MaxTuple = 32;

    private readonly object? _value;

    private PickleKey(object? value) => _value = value;

    /// <summary>False if Python could not hash the value, or if it is too long.</summary>
    public static bool TryMake(object? value, out PickleKey key)
    {
        object? normal = value switch
        {
            int number => (long)number,
            bool flag => flag ? 1L : 0L,
            double real when real == Math.Floor(real) && Math.Abs(real) < 1e18 => (long)real,
            _ => value,
        };
        key = new PickleKey(normal);
        return normal is object?[] tuple
            ? tuple.Length <= MaxTuple && Array.TrueForAll(tuple, IsScalar)
            : IsScalar(normal);
    }

    /// <inheritdoc/>
    public bool Equals(PickleKey other) => (_value, other._value) switch
    {
        (string a, string b) => a == b,
        (byte[] a, byte[] b) => a.AsSpan().SequenceEqual(b),
        (object?[] a, object?[] b) => a.Length == b.Length && a.Zip(b).All(pair => Element(pair.First).Equals(Element(pair.Second))),
        _ => Equals(_value, other._value),
    };

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is PickleKey other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        if (_value is byte[] bytes) hash.AddBytes(bytes);
        else if (_value is object?[] tuple)
            foreach (object? element in tuple) hash.Add(Element(element).GetHashCode());
        else hash.Add(_value);
        return hash.ToHashCode();
    }

    private static bool IsScalar(object? value) => value switch
    {
        null or bool or int or long or double or PickleGlobal => true,
        BigInteger number => number.GetByteCount() <= MaxLength,
        string text => text.Length <= MaxLength,
        byte[] bytes => bytes.Length <= MaxLength,
        _ => false,
    };

    private static PickleKey Element(object? value)
    {
        TryMake(value, out PickleKey key);
        return key;
    }
}
