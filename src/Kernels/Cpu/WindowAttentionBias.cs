using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The relative position bias of a query to all keys as one run of memory, in units of ln 2, made from the table
/// [(2t − 1) · (2h − 1) · (2w − 1), heads] of a window of t x h x w tokens.
/// </summary>
/// <remarks>
/// The bias depends on the difference of two tokens' frames alone, so that the rows of queries at the same place of different
/// frames are parts of one long row: for each query of a frame, the keys of 2t − 1 frames, from the farthest before to the
/// farthest behind. That is several times less than a matrix and stays in the first caches. In pictures rows of tokens take the
/// part of frames. A smaller window that uses the table of a larger one reads the beginnings of these rows, as Video Swin does.
/// </remarks>
internal readonly unsafe struct WindowAttentionBias<V> : IDisposable
    where V : struct, ISimd<V>
{
    private readonly Volume _table;
    private readonly int _heads;
    private readonly float* _rows;
    private readonly float* _pastEnd;
    private readonly long _bytes;

    /// <summary>Expands the table of all heads for windows of <paramref name="size"/> tokens.</summary>
    public WindowAttentionBias(Volume tableWindow, int size, float* table, int heads)
    {
        _table = tableWindow.Frames == 1 ? new Volume(tableWindow.Height, 1, tableWindow.Width) : tableWindow;
        _heads = heads;
        Stride = AttentionRows.Pad<V>(size);
        // Whole vectors are written and read, past the end of the last run.
        HeadFloats = (nint)_table.Plane * RowLength + V.Width;
        _bytes = (heads * (long)HeadFloats + V.Width) * sizeof(float);
        _rows = (float*)HostAllocator.Allocate(_bytes);
        float* pastEnd = _rows + heads * HeadFloats;
        for (int i = 0; i < V.Width; i++) pastEnd[i] = Stride - V.Width + i < size ? 0f : 1f;
        _pastEnd = Stride == size ? null : pastEnd;
        ExpandHead expand = new() { Table = table, Bias = this };
        Workers.Current.For(heads, ref expand);
    }

    /// <summary>The number of keys, padded to whole vectors.</summary>
    public int Stride { get; }

    /// <summary>Which lanes of a row's last vector lie past the last key, see <see cref="AttentionSoftmax.Exponentials"/>.</summary>
    public float* PastEnd => _pastEnd;

    /// <summary>The number of rows of the table.</summary>
    public int TableRows => (2 * _table.Frames - 1) * (2 * _table.Height - 1) * (2 * _table.Width - 1);

    /// <summary>The floats of a head's biases, and of their gradient, which is laid out like them.</summary>
    public nint HeadFloats { get; }

    private int RowLength => (2 * _table.Frames - 1) * _table.Plane;

    /// <summary>The bias of one head, see <see cref="RowOffset"/>.</summary>
    public float* Head(int head) => _rows + head * HeadFloats;

    /// <summary>Where the row of a query begins in <see cref="Head"/>; lanes past its last key hold biases of other pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int RowOffset(int query)
    {
        (int frame, int inFrame) = Math.DivRem(query, _table.Plane);
        return inFrame * RowLength + (_table.Frames - 1 - frame) * _table.Plane;
    }

    /// <inheritdoc/>
    public void Dispose() => HostAllocator.Release((nint)_rows, _bytes);

    /// <summary>Adds the gradient of a head's biases to the rows of the table that they were read from.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void AddToTable(float* gradient, double* columnGradient)
    {
        for (int query = 0; query < _table.Plane; query++)
        {
            for (int difference = _table.Frames - 1; difference > -_table.Frames; difference--)
            {
                for (int y = 0; y < _table.Height; y++, gradient += _table.Width)
                {
                    double* column = columnGradient + TableRow(query, difference, y);
                    for (int x = 0; x < _table.Width; x++) column[-x] += gradient[x];
                }
            }
        }
    }

    /// <summary>
    /// The row of the table for a query of a frame and the key at (<paramref name="y"/>, 0) of a frame that lies
    /// <paramref name="difference"/> before; from key to key it goes down by one.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int TableRow(int query, int difference, int y)
    {
        (int queryY, int queryX) = Math.DivRem(query, _table.Width);
        int row = (difference + _table.Frames - 1) * (2 * _table.Height - 1) + queryY - y + _table.Height - 1;
        return row * (2 * _table.Width - 1) + queryX + _table.Width - 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Expand(float* lastOfReversedColumn, float* rows)
    {
        int rowStep = 2 * _table.Width - 1, differenceStep = (2 * _table.Height - 1) * rowStep;
        for (int query = 0; query < _table.Plane; query++)
        {
            float* source = lastOfReversedColumn - TableRow(query, _table.Frames - 1, 0);
            for (int difference = _table.Frames - 1; difference > -_table.Frames; difference--, source += differenceStep)
            {
                for (int y = 0; y < _table.Height; y++, rows += _table.Width)
                    for (int x = 0; x < _table.Width; x += V.Width) V.Store(V.Load(source + y * rowStep + x), rows + x);
            }
        }
    }

    private struct ExpandHead : ILoopBody
    {
        public float* Table;
        public WindowAttentionBias<V> Bias;

        public readonly void Run(int index, int worker)
        {
            // One head's column of the table, last row first, so that runs of keys are runs of memory.
            int last = Bias.TableRows - 1;
            float* column = (float*)Workers.Scratch((last + 1 + V.Width) * sizeof(float));
            for (int i = 0; i <= last; i++) column[last - i] = Table[(nint)i * Bias._heads + index] * AttentionSoftmax.Log2E;
            Bias.Expand(column + last, Bias.Head(index));
        }
    }
}
