using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The relative position bias of a query to all keys as one run of memory, made from the table
/// [(2t − 1) · (2h − 1) · (2w − 1), heads] of a window of t x h x w tokens.
/// </summary>
/// <remarks>
/// For each place (y, x) in a frame of the window there is a row of biases [time differences from t − 1 down to 1 − t, h · w].
/// A query at (frame, y, x) finds its keys' biases in it from difference <c>frame</c> on, whichever frame it is of; so rows
/// are shared by the frames, and a window of 8 frames needs a quarter of the memory of all pairs. A smaller window that uses
/// the table of a larger one reads the beginning of these rows, as Video Swin does.
/// </remarks>
internal readonly unsafe struct WindowAttentionBias<V> : IDisposable
    where V : struct, ISimd<V>
{
    private readonly Volume _table;
    private readonly int _heads;
    private readonly int _keys;
    private readonly bool _hidesLanes;
    private readonly nint _rowStride;
    private readonly nint _headStride;
    private readonly float* _rows;
    private readonly long _bytes;

    /// <summary>Expands the table of all heads for windows of <paramref name="size"/> tokens.</summary>
    public WindowAttentionBias(Volume tableWindow, int size, float* table, int heads)
    {
        _table = tableWindow;
        _heads = heads;
        Stride = AttentionRows.Pad<V>(size);
        _keys = size;
        // Only the rows of a whole window of one frame end where its keys end.
        _hidesLanes = Stride > size && (tableWindow.Frames > 1 || size < tableWindow.Count);
        _rowStride = AttentionRows.Pad<V>((2 * tableWindow.Frames - 1) * tableWindow.Plane);
        // Keys are read and written in whole vectors, which may reach past the end of the last row.
        _headStride = _rowStride * tableWindow.Plane + V.Width;
        _bytes = heads * (long)_headStride * sizeof(float);
        _rows = (float*)HostAllocator.Allocate(_bytes);
        ExpandHead expand = new() { Table = table, Bias = this };
        Workers.Current.For(heads, ref expand);
    }

    /// <summary>The number of keys, padded to whole vectors.</summary>
    public int Stride { get; }

    /// <summary>The number of rows of the table.</summary>
    public int TableRows => (2 * _table.Frames - 1) * (2 * _table.Height - 1) * (2 * _table.Width - 1);

    /// <summary>The floats of a head's gradient, laid out as the biases of a head are.</summary>
    public nint HeadFloats => _headStride;

    /// <summary>The biases of one head.</summary>
    public float* Head(int head) => _rows + head * _headStride;

    /// <summary>Where in a head's biases those of a query of the window begin, [<see cref="Stride"/>].</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public nint Offset(int query)
    {
        int plane = _table.Plane, frame = query / plane;
        return (query - frame * plane) * _rowStride + (_table.Frames - 1 - frame) * plane;
    }

    /// <summary>
    /// Where biases of other keys follow those of the last one: makes the products q·k in the lanes past it so small that their
    /// exponentials are 0, as <see cref="AttentionSoftmax.NoKey"/> behind the biases does elsewhere.
    /// </summary>
    /// <param name="products">[<paramref name="rows"/>, <see cref="Stride"/>].</param>
    /// <param name="rows">The number of queries.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void HideLanes(float* products, int rows)
    {
        if (!_hidesLanes) return;
        for (int i = 0; i < rows; i++, products += Stride)
            for (int lane = _keys; lane < Stride; lane++) products[lane] = AttentionSoftmax.NoKey;
    }

    /// <inheritdoc/>
    public void Dispose() => HostAllocator.Release((nint)_rows, _bytes);

    /// <summary>Adds the gradient of a head's biases to the rows of the table that they were read from.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void AddToTable(float* gradient, double* columnGradient)
    {
        for (int query = 0; query < _table.Plane; query++)
        {
            float* row = gradient + query * _rowStride;
            for (int difference = _table.Frames - 1; difference > -_table.Frames; difference--)
            {
                for (int y = 0; y < _table.Height; y++, row += _table.Width)
                {
                    double* column = columnGradient + TableRow(query, difference, y);
                    for (int x = 0; x < _table.Width; x++) column[-x] += row[x];
                }
            }
        }
    }

    /// <summary>The row of the table of a query's bias to the key at (y, 0) in a frame; it goes down by one from key to key.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int TableRow(int query, int timeDifference, int y)
    {
        int queryY = query / _table.Width, queryX = query - queryY * _table.Width;
        int row = (timeDifference + _table.Frames - 1) * (2 * _table.Height - 1) + queryY - y + _table.Height - 1;
        return row * (2 * _table.Width - 1) + queryX + _table.Width - 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Expand(float* reversedColumn, float* rows)
    {
        int last = TableRows - 1;
        for (int query = 0; query < _table.Plane; query++, rows += _rowStride)
        {
            float* row = rows;
            for (int difference = _table.Frames - 1; difference > -_table.Frames; difference--)
            {
                for (int y = 0; y < _table.Height; y++, row += _table.Width)
                {
                    float* source = reversedColumn + (last - TableRow(query, difference, y));
                    for (int x = 0; x < _table.Width; x += V.Width) V.Store(V.Load(source + x), row + x);
                }
            }
            for (; row < rows + _rowStride; row++) *row = AttentionSoftmax.NoKey;
        }
        // What follows the last row is read too: no key either.
        V.Store(V.Broadcast(AttentionSoftmax.NoKey), rows);
    }

    private struct ExpandHead : ILoopBody
    {
        public float* Table;
        public WindowAttentionBias<V> Bias;

        public readonly void Run(int index, int worker)
        {
            // One head's column of the table, last row first, so that runs of keys are runs of memory.
            int tableRows = Bias.TableRows;
            float* column = (float*)Workers.Scratch((tableRows + V.Width) * sizeof(float));
            for (int i = 0; i < tableRows; i++) column[tableRows - 1 - i] = Table[(nint)i * Bias._heads + index];
            Bias.Expand(column, Bias.Head(index));
        }
    }
}
