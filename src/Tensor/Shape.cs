using System.Runtime.CompilerServices;

namespace Lavt.Tensors;

/// <summary>The extents of a tensor, outermost first; at most <see cref="MaxRank"/> of them. A scalar has none.</summary>
[CollectionBuilder(typeof(Shape), nameof(Create))]
public readonly struct Shape : IEquatable<Shape>
{
    /// <summary>The largest number of dimensions.</summary>
    public const int MaxRank = 8;

    private readonly Dims _dims;

    /// <summary>A shape with the given extents.</summary>
    /// <exception cref="ArgumentException">More than <see cref="MaxRank"/> extents, or a negative one.</exception>
    public Shape(params ReadOnlySpan<int> dims)
    {
        if (dims.Length > MaxRank)
            throw new ArgumentException($"a shape has at most {MaxRank} dimensions, got {dims.Length}");
        Rank = dims.Length;
        long count = 1;
        for (int i = 0; i < dims.Length; i++)
        {
            if (dims[i] < 0)
                throw new ArgumentException($"dimension {i} of a shape is {dims[i]}; it must not be negative");
            _dims[i] = dims[i];
            count = checked(count * dims[i]);
        }
        Count = count;
    }

    /// <summary>The number of dimensions.</summary>
    public int Rank { get; }

    /// <summary>The number of elements.</summary>
    public long Count { get; }

    /// <summary>The extent of a dimension; negative indices count from the end.</summary>
    public int this[int axis] => _dims[Axis(axis)];

    /// <summary>A shape from a collection expression.</summary>
    public static Shape Create(ReadOnlySpan<int> dims) => new(dims);

    /// <summary>Turns an axis that may count from the end into one that counts from 0.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such axis.</exception>
    public int Axis(int axis)
    {
        int normal = axis < 0 ? axis + Rank : axis;
        if ((uint)normal >= (uint)Rank)
            throw new ArgumentOutOfRangeException(nameof(axis), $"axis {axis} of a tensor of shape {this}");
        return normal;
    }

    /// <summary>The extents as an array.</summary>
    public int[] ToArray()
    {
        int[] dims = new int[Rank];
        for (int i = 0; i < dims.Length; i++) dims[i] = _dims[i];
        return dims;
    }

    /// <summary>Iterates over the extents.</summary>
    public IEnumerator<int> GetEnumerator() => ((IEnumerable<int>)ToArray()).GetEnumerator();

    /// <summary>The same shape with one extent replaced.</summary>
    public Shape With(int axis, int extent)
    {
        Span<int> dims = stackalloc int[Rank];
        for (int i = 0; i < Rank; i++) dims[i] = _dims[i];
        dims[Axis(axis)] = extent;
        return new Shape(dims);
    }

    /// <inheritdoc/>
    public bool Equals(Shape other)
    {
        if (Rank != other.Rank) return false;
        for (int i = 0; i < Rank; i++)
            if (_dims[i] != other._dims[i]) return false;
        return true;
    }

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is Shape other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        for (int i = 0; i < Rank; i++) hash.Add(_dims[i]);
        return hash.ToHashCode();
    }

    /// <inheritdoc/>
    public override string ToString() => $"[{string.Join(", ", ToArray())}]";

    /// <summary>Equality of all extents.</summary>
    public static bool operator ==(Shape left, Shape right) => left.Equals(right);

    /// <summary>Inequality of any extent.</summary>
    public static bool operator !=(Shape left, Shape right) => !left.Equals(right);

    [InlineArray(MaxRank)]
    private struct Dims
    {
        private int _first;
    }
}
