using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The relative position bias of every pair of tokens in units of ln 2, made from the table [table rows, heads].
/// </summary>
/// <remarks>
/// The bias depends on the difference of two tokens' layers alone, so that the rows of queries at the same place of
/// different layers are parts of one long row: for each query of a layer, the keys of 2 · layers − 1 layers, from the
/// farthest before to the farthest behind. That is several times less than a matrix and stays in the first caches.
/// </remarks>
internal readonly unsafe struct WindowAttentionBias<V> : IDisposable
    where V : struct, ISimd<V>
{
    private readonly WindowAttentionGrid _grid;
    private readonly float* _rows;
    private readonly float* _pastEnd;
    private readonly long _bytes;
    private readonly nint _headStride;

    /// <summary>Expands the table of all heads.</summary>
    public WindowAttentionBias(WindowAttentionGrid grid, float* table, int heads)
    {
        _grid = grid;
        Stride = AttentionRows.Pad<V>(grid.Size);
        // Whole vectors are written and read, past the end of the last run.
        _headStride = (nint)grid.LayerSize * RowLength + V.Width;
        _bytes = (heads * (long)_headStride + V.Width) * sizeof(float);
        _rows = (float*)HostAllocator.Allocate(_bytes);
        _pastEnd = _rows + heads * _headStride;
        for (int i = 0; i < V.Width; i++) _pastEnd[i] = Stride - V.Width + i < grid.Size ? 0f : 1f;
        ExpandHead expand = new() { Bias = this, Table = table, Heads = heads };
        Workers.Current.For(heads, ref expand);
    }

    /// <summary>The number of keys, padded to whole vectors.</summary>
    public int Stride { get; }

    /// <summary>Which lanes of a row's last vector lie past the last key, see <see cref="AttentionSoftmax.Exponentials"/>.</summary>
    public float* PastEnd => Stride == _grid.Size ? null : _pastEnd;

    private int RowLength => (2 * _grid.Layers - 1) * _grid.LayerSize;

    /// <summary>The bias of one head, see <see cref="RowOffset"/>.</summary>
    public float* Head(int head) => _rows + head * _headStride;

    /// <summary>Where the row of a query begins in <see cref="Head"/>; lanes past its last key hold biases of other pairs.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int RowOffset(int query)
    {
        (int layer, int inLayer) = Math.DivRem(query, _grid.LayerSize);
        return inLayer * RowLength + (_grid.Layers - 1 - layer) * _grid.LayerSize;
    }

    /// <inheritdoc/>
    public void Dispose() => HostAllocator.Release((nint)_rows, _bytes);

    /// <summary>Adds up the gradient of a matrix [N, stride] in the rows of the table that its elements were read from.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddToTable(WindowAttentionGrid grid, float* matrixGradient, int stride, double* columnGradient)
    {
        for (int query = 0; query < grid.Size; query++)
        {
            float* row = matrixGradient + (nint)query * stride;
            int layer = query / grid.LayerSize;
            int* starts = grid.BiasRows(query % grid.LayerSize);
            for (int keyLayer = 0; keyLayer < grid.Layers; keyLayer++)
            {
                double* column = columnGradient + (layer - keyLayer + grid.Layers - 1) * grid.TableLayer;
                for (int run = 0; run < grid.Runs; run++, row += grid.RunLength)
                    for (int i = 0; i < grid.RunLength; i++) column[starts[run] - i] += row[i];
            }
        }
    }

    private struct ExpandHead : ILoopBody
    {
        public WindowAttentionBias<V> Bias;
        public float* Table;
        public int Heads;

        public readonly void Run(int index, int worker)
        {
            // One head's column of the table, last row first, so that runs of keys are runs of memory.
            int tableRows = Bias._grid.TableRows;
            float* column = (float*)Workers.Scratch((tableRows + V.Width) * sizeof(float));
            for (int i = 0; i < tableRows; i++) column[tableRows - 1 - i] = Table[(nint)i * Heads + index] * AttentionSoftmax.Log2E;
            Expand(column, Bias.Head(index));
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void Expand(float* column, float* rows)
        {
            WindowAttentionGrid grid = Bias._grid;
            int layers = 2 * grid.Layers - 1, length = grid.RunLength;
            for (int query = 0; query < grid.LayerSize; query++)
            {
                int* starts = grid.BiasRows(query);
                for (int layer = 0; layer < layers; layer++)
                {
                    float* source = column + ((layer + 1) * grid.TableLayer) - 1;
                    for (int run = 0; run < grid.Runs; run++, rows += length)
                        for (int i = 0; i < length; i += V.Width) V.Store(V.Load(source - starts[run] + i), rows + i);
                }
            }
        }
    }
}
