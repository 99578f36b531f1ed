using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>The forward pass of <see cref="WindowAttention"/>: one piece is a few heads of windows.</summary>
internal readonly unsafe struct WindowAttentionForward<V> : ILoopBody
    where V : struct, ISimd<V>
{
    /// <summary>Queries whose scores are held at once: with keys and values they stay in the first cache for windows of 12.</summary>
    private const int QueryBlock = 12;

    /// <summary>Heads of one piece at least: the next one's rows are asked for while one is computed.</summary>
    private const int MinUnits = 4;

    /// <summary>Pieces of less than this many multiply-adds would cost more to hand out than to do.</summary>
    private const long MinWork = 100_000;

    /// <summary>A head of this many multiply-adds, of windows over several frames, is a piece of its own.</summary>
    private const long LargeUnit = 4_000_000;

    private readonly WindowAttentionInput _input;
    private readonly WindowAttentionBias<V> _bias;
    private readonly float* _output;
    private readonly int _units;
    private readonly int _unitsPerPiece;

    public WindowAttentionForward(WindowAttentionInput input, WindowAttentionBias<V> bias, float* output, int pictures)
    {
        _input = input;
        _bias = bias;
        _output = output;
        _units = pictures * input.Grid.Windows * input.Heads;
        long work = 2L * input.Grid.Size * input.Grid.Size * input.HeadDim;
        _unitsPerPiece = work >= LargeUnit ? 1 : (int)Math.Max(MinUnits, MinWork / work);
    }

    /// <summary>The number of pieces of the loop.</summary>
    public int Pieces => (_units + _unitsPerPiece - 1) / _unitsPerPiece;

    public void Run(int index, int worker)
    {
        int stride = AttentionRows.Pad<V>(_input.HeadDim);
        float* scratch = (float*)Workers.Scratch((long)new Buffers(null, _input.Grid.Size, _bias.Stride, _input.HeadDim, stride).End);
        Buffers buffers = new(scratch, _input.Grid.Size, _bias.Stride, _input.HeadDim, stride);
        int end = Math.Min(_units, (index + 1) * _unitsPerPiece);
        for (int unit = index * _unitsPerPiece; unit < end; unit++)
        {
            Attend(buffers, new Unit(unit, _input), new Unit((unit + 1) % _units, _input), stride);
        }
    }

    public KernelWork Describe(int pieces)
    {
        double pictures = _units / (_input.Grid.Windows * _input.Heads), tokens = pictures * _input.Tokens, size = _input.Grid.Size;
        double channels = _input.Heads * _input.HeadDim;
        return new KernelWork(
            $"WindowAttention {_units / _input.Heads} windows x {_input.Heads} heads, {size} tokens",
            4 * tokens * size * channels,
            sizeof(float) * 4 * tokens * channels);
    }

    private void Attend(Buffers buffers, Unit unit, Unit next, int stride)
    {
        (int picture, int window, int head) = (unit.Picture, unit.Window, unit.Head);
        int size = _input.Grid.Size, headDim = _input.HeadDim, keyStride = _bias.Stride;
        int queries = _input.GatherQueries<V>(picture, window, head, buffers.Queries, stride, buffers.Positions);
        if (queries == 0) return;
        _input.GatherColumns<V>(picture, window, WindowAttentionInput.Key, head, buffers.Values, stride, buffers.Keys, keyStride);
        _input.GatherRows<V>(picture, window, WindowAttentionInput.Value, head, buffers.Values, stride);
        for (int i = 0; i < queries; i++) buffers.BiasRows[i] = _bias.RowOffset(buffers.Positions[i]);
        float* regions = _input.Grid.Regions(window);
        int blocks = (queries + QueryBlock - 1) / QueryBlock;
        for (int block = 0, first = 0; block < blocks; block++)
        {
            int rows = (queries - first) / (blocks - block);
            // Not all at once: only so many lines can be on their way.
            int ahead = block * size / blocks, aheadEnd = (block + 1) * size / blocks;
            _input.Prefetch(next.Picture, next.Window, WindowAttentionInput.Query, next.Head, ahead, aheadEnd);
            AttentionProduct.Multiply<V>(buffers.Queries + first * stride, stride, buffers.Keys, keyStride,
                buffers.Scores, keyStride, rows, headDim, keyStride, new(_bias.Head(head), buffers.BiasRows + first));
            _input.Prefetch(next.Picture, next.Window, WindowAttentionInput.Key, next.Head, ahead, aheadEnd);
            if (regions != null) AttentionSoftmax.SeparateRegions<V>(buffers.Scores, regions, buffers.Positions + first, rows, keyStride);
            AttentionSoftmax.Exponentials<V>(buffers.Scores, _bias.PastEnd, buffers.InverseSums, rows, keyStride);
            _input.Prefetch(next.Picture, next.Window, WindowAttentionInput.Value, next.Head, ahead, aheadEnd);
            AttentionProduct.Multiply<V>(buffers.Scores, keyStride, buffers.Values, stride, buffers.Result, stride, rows, size, stride);
            Write(buffers, picture, window, head, first, rows, stride);
            first += rows;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Write(Buffers buffers, int picture, int window, int head, int first, int rows, int stride)
    {
        int* tokens = _input.Grid.Tokens(window);
        for (int i = 0; i < rows; i++)
        {
            nint token = (nint)picture * _input.Tokens + tokens[buffers.Positions[first + i]];
            float* destination = _output + (token * _input.Heads + head) * _input.HeadDim;
            AttentionRows.Scale<V>(buffers.Result + i * stride, buffers.InverseSums[i], destination, _input.HeadDim);
        }
    }

    /// <summary>One head of one window.</summary>
    private readonly struct Unit(int index, WindowAttentionInput input)
    {
        public readonly int Head = index % input.Heads;
        public readonly int Window = index / input.Heads % input.Grid.Windows;
        public readonly int Picture = index / input.Heads / input.Grid.Windows;
    }

    /// <summary>The scratch memory of one head of one window; every part begins on a cache line.</summary>
    private readonly struct Buffers
    {
        public readonly float* Queries;
        public readonly float* Keys;
        public readonly float* Values;
        public readonly float* Scores;
        public readonly float* Result;
        public readonly float* InverseSums;
        public readonly int* Positions;
        public readonly int* BiasRows;
        public readonly float* End;

        public Buffers(float* start, int size, int keyStride, int headDim, int stride)
        {
            Queries = start;
            Keys = AttentionRows.After(Queries, (nint)size * stride);
            Values = AttentionRows.After(Keys, (nint)headDim * keyStride);
            Scores = AttentionRows.After(Values, (nint)size * stride);
            Result = AttentionRows.After(Scores, (nint)QueryBlock * keyStride);
            InverseSums = AttentionRows.After(Result, (nint)QueryBlock * stride);
            Positions = (int*)AttentionRows.After(InverseSums, QueryBlock);
            BiasRows = (int*)AttentionRows.After((float*)Positions, size);
            End = AttentionRows.After((float*)BiasRows, size);
        }
    }
}
