using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The backward pass of <see cref="WindowAttention"/>: one piece is one head of a group of windows. The probabilities are
/// computed again from q and k.
/// </summary>
/// <remarks>
/// The gradients of the bias table and of qkv's bias are sums over all windows. Each piece has partial sums of its own,
/// which are added up in order; the number of pieces depends on the shape alone, so the result does not depend on the
/// number of workers.
/// </remarks>
internal readonly unsafe struct WindowAttentionBackward<V> : ILoopBody, IDisposable
    where V : struct, ISimd<V>
{
    /// <summary>Queries whose probabilities are held at once.</summary>
    private const int QueryBlock = 24;

    /// <summary>About as many pieces are made: enough to share out among many cores, few enough for their partial sums.</summary>
    private const int TargetPieces = 64;

    /// <summary>Windows of a piece at least (if there are as many): each piece ends with work of its own, the sums of the bias table.</summary>
    private const int MinWindows = 4;

    private readonly WindowAttentionInput _input;
    private readonly WindowAttentionBias<V> _bias;
    private readonly float* _dOutput;
    private readonly float* _dQkv;
    private readonly double* _partial;
    private readonly int _windows;
    private readonly int _groups;
    private readonly int _stride;

    public WindowAttentionBackward(WindowAttentionInput input, WindowAttentionBias<V> bias, float* dOutput, float* dQkv, int pictures)
    {
        _input = input;
        _bias = bias;
        _dOutput = dOutput;
        _dQkv = dQkv;
        _windows = pictures * input.Grid.Windows;
        _groups = Math.Max(1, Math.Min(TargetPieces / input.Heads, _windows / MinWindows));
        _stride = AttentionRows.Pad<V>(input.HeadDim);
        _partial = (double*)HostAllocator.Allocate(PartialBytes);
        new Span<byte>(_partial, checked((int)PartialBytes)).Clear();
    }

    /// <summary>The number of pieces of the loop.</summary>
    public int Pieces => _groups * _input.Heads;

    /// <summary>A piece's partial sums: a column of the bias table, then the gradients that padding tokens' k and v received.</summary>
    private int PartialStride => _bias.TableRows + 2 * _input.HeadDim;

    private long PartialBytes => (long)Pieces * PartialStride * sizeof(double);

    private Buffers Layout(float* start) => new(start, _input.Grid.Size, _bias.Stride, _input.HeadDim, _stride, _bias.HeadFloats);

    /// <inheritdoc/>
    public void Dispose() => HostAllocator.Release((nint)_partial, PartialBytes);

    public KernelWork Describe(int pieces)
    {
        // Five products: the scores again, and the gradients of v, of the probabilities, of q and of k.
        double tokens = (double)_windows / _input.Grid.Windows * _input.Tokens, size = _input.Grid.Size, channels = _input.Heads * _input.HeadDim;
        return new KernelWork(
            $"WindowAttention.Backward {_windows} windows x {_input.Heads} heads, {size} tokens",
            10 * tokens * size * channels,
            sizeof(float) * 7 * tokens * channels);
    }

    public void Run(int index, int worker)
    {
        Buffers buffers = Layout((float*)Workers.Scratch((long)Layout(null).End));
        int head = index % _input.Heads, group = index / _input.Heads;
        double* partial = _partial + (nint)index * PartialStride;
        int size = _input.Grid.Size;
        new Span<float>(buffers.BiasGradient, checked((int)_bias.HeadFloats)).Clear();
        int end = (int)((group + 1L) * _windows / _groups);
        for (int window = (int)((long)group * _windows / _groups); window < end; window++)
        {
            int picture = window / _input.Grid.Windows, inPicture = window % _input.Grid.Windows;
            int next = (window + 1) % _windows;
            int queries = Gather(buffers, picture, inPicture, head);
            for (int first = 0; first < queries; first += QueryBlock)
            {
                int rows = Math.Min(QueryBlock, queries - first);
                for (int part = WindowAttentionInput.Query; part <= WindowAttentionInput.Value; part++)
                    _input.Prefetch(next / _input.Grid.Windows, next % _input.Grid.Windows, part, head, first * size / queries, (first + rows) * size / queries);
                ScoreGradients(buffers, inPicture, head, first, rows);
                AddKeyValueGradients(buffers, first, rows);
                WriteQueryGradients(buffers, picture, inPicture, head, first, rows);
            }
            WriteKeyValueGradients(buffers, picture, inPicture, head, partial + _bias.TableRows);
        }
        _bias.AddToTable(buffers.BiasGradient, partial);
    }

    /// <summary>Adds the partial sums of all pieces to the gradients of the bias table and, if it is not null, of qkv's bias.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public void Reduce(float* dQkvBias, float* dBiasTable)
    {
        int heads = _input.Heads, headDim = _input.HeadDim, tableRows = _bias.TableRows;
        for (int head = 0; head < heads; head++)
        {
            for (int i = 0; i < PartialStride; i++)
            {
                double sum = 0;
                for (int group = 0; group < _groups; group++) sum += _partial[((nint)group * heads + head) * PartialStride + i];
                int part = 1 + (i - tableRows) / headDim, channel = (i - tableRows) % headDim;
                if (i < tableRows)
                    dBiasTable[(nint)i * heads + head] += (float)sum;
                else if (dQkvBias != null)
                    dQkvBias[(part * heads + head) * headDim + channel] += (float)sum;
            }
        }
    }

    /// <summary>Fills the buffers for one head of one window; returns the number of queries that are not padding.</summary>
    private int Gather(Buffers buffers, int picture, int window, int head)
    {
        int keyStride = _bias.Stride;
        int queries = _input.GatherQueries<V>(picture, window, head, buffers.Queries, _stride, buffers.Positions);
        GatherOutputGradients(buffers, picture, window, head, queries);
        _input.GatherColumns<V>(picture, window, WindowAttentionInput.Value, head, buffers.Keys, _stride, buffers.ValueColumns, keyStride);
        _input.GatherColumns<V>(picture, window, WindowAttentionInput.Key, head, buffers.Keys, _stride, buffers.KeyColumns, keyStride);
        for (int i = 0; i < queries; i++) buffers.BiasRows[i] = _bias.RowOffset(buffers.Positions[i]);
        new Span<float>(buffers.KeyGradients, _input.Grid.Size * _stride).Clear();
        new Span<float>(buffers.ValueGradients, _input.Grid.Size * _stride).Clear();
        return queries;
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void GatherOutputGradients(Buffers buffers, int picture, int window, int head, int queries)
    {
        int* tokens = _input.Grid.Tokens(window);
        for (int i = 0; i < queries; i++)
        {
            nint token = (nint)picture * _input.Tokens + tokens[buffers.Positions[i]];
            float* source = _dOutput + (token * _input.Heads + head) * _input.HeadDim;
            AttentionRows.CopyPadded<V>(source, buffers.OutputGradients + i * _stride, _input.HeadDim, _stride);
        }
    }

    /// <summary>P and dS of a block of queries; dS is also the gradient of the position bias.</summary>
    private void ScoreGradients(Buffers buffers, int window, int head, int first, int rows)
    {
        int keyStride = _bias.Stride, headDim = _input.HeadDim;
        AttentionProduct.Multiply<V>(buffers.Queries + first * _stride, _stride, buffers.KeyColumns, keyStride,
            buffers.Probabilities, keyStride, rows, headDim, keyStride, new(_bias.Head(head), buffers.BiasRows + first));
        AttentionProduct.Multiply<V>(buffers.OutputGradients + first * _stride, _stride, buffers.ValueColumns, keyStride,
            buffers.ScoreGradients, keyStride, rows, headDim, keyStride);
        float* regions = _input.Grid.Regions(window);
        if (regions != null) AttentionSoftmax.SeparateRegions<V>(buffers.Probabilities, regions, buffers.Positions + first, rows, keyStride);
        AttentionSoftmax.Exponentials<V>(buffers.Probabilities, _bias.PastEnd, buffers.InverseSums, rows, keyStride);
        for (int i = 0; i < rows; i++)
        {
            AttentionSoftmax.Gradient<V>(buffers.Probabilities + i * keyStride, buffers.ScoreGradients + i * keyStride,
                buffers.InverseSums[i], buffers.BiasGradient + buffers.BiasRows[first + i], keyStride);
        }
    }

    /// <summary>dK += dSᵀ · Q (times log2(e), like Q) and dV += Pᵀ · dO for a block of queries.</summary>
    private void AddKeyValueGradients(Buffers buffers, int first, int rows)
    {
        int size = _input.Grid.Size, keyStride = _bias.Stride;
        AttentionProduct.AddTransposed<V>(buffers.ScoreGradients, keyStride, buffers.Queries + first * _stride, _stride,
            buffers.KeyGradients, _stride, size, rows, _stride);
        AttentionProduct.AddTransposed<V>(buffers.Probabilities, keyStride, buffers.OutputGradients + first * _stride, _stride,
            buffers.ValueGradients, _stride, size, rows, _stride);
    }

    /// <summary>dQ = scale · dS · K for a block of queries, written in picture order.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WriteQueryGradients(Buffers buffers, int picture, int window, int head, int first, int rows)
    {
        AttentionProduct.Multiply<V>(buffers.ScoreGradients, _bias.Stride, buffers.Keys, _stride,
            buffers.QueryGradients, _stride, rows, _input.Grid.Size, _stride);
        int* tokens = _input.Grid.Tokens(window);
        for (int i = 0; i < rows; i++)
        {
            nint offset = _input.Offset(picture, tokens[buffers.Positions[first + i]], WindowAttentionInput.Query, head);
            AttentionRows.Scale<V>(buffers.QueryGradients + i * _stride, _input.Scale, _dQkv + offset, _input.HeadDim);
        }
    }

    /// <summary>Writes dK and dV in picture order; those of padding tokens go to the partial sums of qkv's bias.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void WriteKeyValueGradients(Buffers buffers, int picture, int window, int head, double* paddingSums)
    {
        int* tokens = _input.Grid.Tokens(window);
        int headDim = _input.HeadDim;
        // Q was gathered with the scale and log2(e).
        const float LnTwo = 0.693147181f;
        for (int i = 0; i < _input.Grid.Size; i++)
        {
            float* dKey = buffers.KeyGradients + i * _stride;
            float* dValue = buffers.ValueGradients + i * _stride;
            if (tokens[i] >= 0)
            {
                AttentionRows.Scale<V>(dKey, LnTwo, _dQkv + _input.Offset(picture, tokens[i], WindowAttentionInput.Key, head), headDim);
                AttentionRows.Scale<V>(dValue, 1f, _dQkv + _input.Offset(picture, tokens[i], WindowAttentionInput.Value, head), headDim);
                continue;
            }
            for (int d = 0; d < headDim; d++)
            {
                paddingSums[d] += (double)dKey[d] * LnTwo;
                paddingSums[headDim + d] += dValue[d];
            }
        }
    }

    /// <summary>The scratch memory of one head of one window; every part begins on a cache line.</summary>
    private readonly struct Buffers
    {
        public readonly float* Queries;
        public readonly float* OutputGradients;
        public readonly float* Keys;
        public readonly float* KeyColumns;
        public readonly float* ValueColumns;
        public readonly float* Probabilities;
        public readonly float* ScoreGradients;
        public readonly float* QueryGradients;
        public readonly float* KeyGradients;
        public readonly float* ValueGradients;
        public readonly float* BiasGradient;
        public readonly float* InverseSums;
        public readonly int* Positions;
        public readonly int* BiasRows;
        public readonly float* End;

        public Buffers(float* start, int size, int keyStride, int headDim, int stride, nint biasFloats)
        {
            nint tokens = (nint)size * stride, columns = (nint)headDim * keyStride, block = (nint)QueryBlock * keyStride;
            Queries = start;
            OutputGradients = AttentionRows.After(Queries, tokens);
            Keys = AttentionRows.After(OutputGradients, tokens);
            KeyColumns = AttentionRows.After(Keys, tokens);
            ValueColumns = AttentionRows.After(KeyColumns, columns);
            Probabilities = AttentionRows.After(ValueColumns, columns);
            ScoreGradients = AttentionRows.After(Probabilities, block);
            QueryGradients = AttentionRows.After(ScoreGradients, block);
            KeyGradients = AttentionRows.After(QueryGradients, (nint)QueryBlock * stride);
            ValueGradients = AttentionRows.After(KeyGradients, tokens);
            BiasGradient = AttentionRows.After(ValueGradients, tokens);
            InverseSums = AttentionRows.After(BiasGradient, biasFloats);
            Positions = (int*)AttentionRows.After(InverseSums, QueryBlock);
            BiasRows = (int*)AttentionRows.After((float*)Positions, size);
            End = AttentionRows.After((float*)BiasRows, size);
        }
    }
}
