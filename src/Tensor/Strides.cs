using System.Runtime.CompilerServices;

namespace Lavt.Tensors;

/// <summary>The distances, in elements, between neighbours along each axis of a tensor.</summary>
[InlineArray(Shape.MaxRank)]
internal struct Strides
{
    private long _first;

    /// <summary>The strides of a row-major tensor.</summary>
    public static Strides Contiguous(Shape shape)
    {
        Strides strides = default;
        long step = 1;
        for (int i = shape.Rank - 1; i >= 0; i--)
        {
            strides[i] = step;
            step *= shape[i];
        }
        return strides;
    }

    /// <summary>True if these strides walk a tensor of <paramref name="shape"/> in row-major order without gaps.</summary>
    public readonly bool AreContiguous(Shape shape)
    {
        long step = 1;
        for (int i = shape.Rank - 1; i >= 0; i--)
        {
            if (shape[i] != 1 && this[i] != step) return shape.Count == 0;
            step *= shape[i];
        }
        return true;
    }
}

/// <summary>Walks the elements of a tensor in row-major order and keeps the offset of the current one.</summary>
internal struct StridedIndex
{
    private readonly Tensor _tensor;
    private Counters _at;

    public StridedIndex(Tensor tensor) => _tensor = tensor;

    /// <summary>The distance of the current element from the tensor's first one.</summary>
    public long Offset { get; private set; }

    /// <summary>Moves to the next element.</summary>
    public void Next()
    {
        for (int axis = _tensor.Rank - 1; axis >= 0; axis--)
        {
            Offset += _tensor.Stride(axis);
            if (++_at[axis] < _tensor.Shape[axis]) return;
            Offset -= _at[axis] * _tensor.Stride(axis);
            _at[axis] = 0;
        }
    }

    [InlineArray(Shape.MaxRank)]
    private struct Counters
    {
        private int _first;
    }
}
