using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The relative position bias of every pair of tokens, [heads, N, N] with rows padded to whole vectors, made from the
/// table [table rows, heads]. Lanes past the last key hold <see cref="AttentionSoftmax.NoKey"/>.
/// </summary>
internal readonly unsafe struct WindowAttentionBias<V> : IDisposable
    where V : struct, ISimd<V>
{
    private readonly float* _matrices;
    private readonly long _bytes;
    private readonly nint _headStride;

    /// <summary>Expands the table of all heads.</summary>
    public WindowAttentionBias(WindowAttentionGrid grid, float* table, int heads)
    {
        Stride = AttentionRows.Pad<V>(grid.Size);
        // Runs are copied in whole vectors, which may write past the end of the last row.
        _headStride = (nint)grid.Size * Stride + V.Width;
        _bytes = heads * (long)_headStride * sizeof(float);
        _matrices = (float*)HostAllocator.Allocate(_bytes);
        ExpandHead expand = new() { Grid = grid, Table = table, Heads = heads, Bias = this };
        Workers.Current.For(heads, ref expand);
    }

    /// <summary>The number of floats of a row.</summary>
    public int Stride { get; }

    /// <summary>The matrix of one head, [N, <see cref="Stride"/>].</summary>
    public float* Head(int head) => _matrices + head * _headStride;

    /// <inheritdoc/>
    public void Dispose() => HostAllocator.Release((nint)_matrices, _bytes);

    /// <summary>Adds up the gradient of a matrix [N, stride] in the rows of the table that its elements were read from.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddToTable(WindowAttentionGrid grid, float* matrixGradient, int stride, double* columnGradient)
    {
        for (int query = 0; query < grid.Size; query++)
        {
            float* row = matrixGradient + (nint)query * stride;
            int* starts = grid.BiasRows(query);
            for (int first = 0, run = 0; first < grid.Size; first += grid.RunLength, run++)
            {
                int length = Math.Min(grid.RunLength, grid.Size - first);
                double* column = columnGradient + starts[run];
                for (int i = 0; i < length; i++) column[-i] += row[first + i];
            }
        }
    }

    private struct ExpandHead : ILoopBody
    {
        public WindowAttentionGrid Grid;
        public float* Table;
        public int Heads;
        public WindowAttentionBias<V> Bias;

        public readonly void Run(int index, int worker)
        {
            // One head's column of the table, last row first, so that runs of keys are runs of memory.
            float* column = (float*)Workers.Scratch((Grid.TableRows + V.Width) * sizeof(float));
            for (int i = 0; i < Grid.TableRows; i++) column[Grid.TableRows - 1 - i] = Table[(nint)i * Heads + index];
            Expand(column, Bias.Head(index));
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void Expand(float* column, float* matrix)
        {
            int size = Grid.Size, stride = Bias.Stride;
            for (int query = 0; query < size; query++, matrix += stride)
            {
                int* starts = Grid.BiasRows(query);
                for (int first = 0, run = 0; first < size; first += Grid.RunLength, run++)
                {
                    float* source = column + (Grid.TableRows - 1 - starts[run]);
                    int length = Math.Min(Grid.RunLength, size - first);
                    for (int i = 0; i < length; i += V.Width) V.Store(V.Load(source + i), matrix + first + i);
                }
                for (int i = size; i < stride; i++) matrix[i] = AttentionSoftmax.NoKey;
            }
        }
    }
}
