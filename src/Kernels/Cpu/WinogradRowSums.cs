using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>The sums of one row of a <see cref="WinogradTile"/>: two vectors, zero at first.</summary>
internal unsafe interface IRowSums<V>
    where V : struct, ISimd<V>
{
    /// <summary>Adds a step: a · left and a · right.</summary>
    void Add(float a, V left, V right);

    /// <summary>Stores the row and moves the pointers on to the next one.</summary>
    /// <param name="c">Where the row goes.</param>
    /// <param name="rowScale">For sums of rounded numbers: by what they are multiplied.</param>
    /// <param name="columnScales">For those: by what each column's sum is multiplied.</param>
    /// <param name="accumulate">Whether to add what <paramref name="c"/> holds.</param>
    void Store(ref float* c, ref float* rowScale, float* columnScales, bool accumulate);
}

/// <summary>Sums of floats.</summary>
internal unsafe struct FloatRowSums<V> : IRowSums<V>
    where V : struct, ISimd<V>
{
    private V _left;
    private V _right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(float a, V left, V right)
    {
        V x = V.Broadcast(a);
        _left = V.MultiplyAdd(x, left, _left);
        _right = V.MultiplyAdd(x, right, _right);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(ref float* c, ref float* rowScale, float* columnScales, bool accumulate)
    {
        V.Store(accumulate ? _left + V.Load(c) : _left, c);
        V.Store(accumulate ? _right + V.Load(c + V.Width) : _right, c + V.Width);
        c += Winograd.PanelWidth;
    }
}

/// <summary>Sums of products of int16, two per lane and step, which <see cref="WinogradRounding"/> keeps within int32.</summary>
internal unsafe struct RoundedRowSums<V> : IRowSums<V>
    where V : struct, ISimd<V>
{
    private V _left;
    private V _right;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(float a, V left, V right)
    {
        V x = V.Broadcast(a);
        _left = V.AddPairProducts(_left, x, left);
        _right = V.AddPairProducts(_right, x, right);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Store(ref float* c, ref float* rowScale, float* columnScales, bool accumulate)
    {
        V scale = V.Broadcast(*rowScale);
        V left = V.FromInt32(_left) * (scale * V.Load(columnScales)), right = V.FromInt32(_right) * (scale * V.Load(columnScales + V.Width));
        V.Store(accumulate ? left + V.Load(c) : left, c);
        V.Store(accumulate ? right + V.Load(c + V.Width) : right, c + V.Width);
        c += Winograd.PanelWidth;
        rowScale++;
    }
}
