using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The gradient that norms over the rows of a matrix share (batch norm, instance norm). With x̂ = (x − shift) · factor and g the
/// incoming gradient: dx = scale · (g − mean(g) − x̂ · mean(g · x̂)), or scale · g where the statistics are constants.
/// </summary>
internal unsafe struct ColumnNormGradient
{
    private const int FloatsPerPiece = 16384;

    /// <summary>The input, groups × rows × columns.</summary>
    public float* X;

    /// <summary>What x̂ is made with, groups × columns.</summary>
    public float* Shift, Factor;

    /// <summary>What dx is scaled with, groups × columns.</summary>
    public float* Scale;

    /// <summary>The incoming gradient; behind a ReLU it counts only where x̂ · gain + offset is positive (null: no ReLU).</summary>
    public float* Dy, Gain, Offset;

    /// <summary>The result.</summary>
    public float* Dx;

    /// <summary>Σ g and Σ g · x̂ over the rows, groups × columns each: results.</summary>
    public float* SumG, SumGx;

    /// <summary>Sizes.</summary>
    public int Groups, Columns;

    /// <summary>The rows of each group.</summary>
    public long Rows;

    /// <summary>The bytes of scratch memory that <see cref="Run"/> needs.</summary>
    public static long ScratchBytes(int groups, long rows, int columns) =>
        (long)groups * ColumnPartials.Chunks(rows) * 2 * columns * sizeof(float);

    /// <summary>Finds the sums and then dx.</summary>
    /// <param name="scratch">Memory of <see cref="ScratchBytes"/>.</param>
    /// <param name="statisticsDependOnInput">Whether mean and deviation are those of X.</param>
    /// <param name="sum">Where they are those of the rows of all devices: sums over these.</param>
    public readonly void Run(float* scratch, bool statisticsDependOnInput, IDeviceSum? sum = null)
    {
        int chunks = ColumnPartials.Chunks(Rows);
        SumBody sums = new() { Args = this, Partials = scratch, Chunks = chunks, RowsPerChunk = ColumnPartials.RowsPerChunk(Rows) };
        SimdLoop.For(Groups * chunks, sums);
        for (int group = 0; group < Groups; group++)
        {
            float* partials = scratch + (long)group * chunks * 2 * Columns;
            ColumnPartials.Reduce(partials, chunks, 2L * Columns, SumG + (long)group * Columns, Columns);
            ColumnPartials.Reduce(partials + Columns, chunks, 2L * Columns, SumGx + (long)group * Columns, Columns);
        }
        if (sum is null) Apply(this, statisticsDependOnInput ? 1f / Rows : 0f);
        else ApplyOverDevices(sum);
    }

    /// <summary>The results SumG and SumGx stay those of this device, dx is made with those of all.</summary>
    private readonly void ApplyOverDevices(IDeviceSum sum)
    {
        int statistics = Groups * Columns;
        double[] sums = new double[2 * statistics + 1];
        for (int i = 0; i < statistics; i++) (sums[i], sums[statistics + i]) = (SumG[i], SumGx[i]);
        sums[^1] = Rows;
        sum.Sum(sums);
        float[] totals = [.. sums.Select(value => (float)value)];
        fixed (float* total = totals)
            Apply(this with { SumG = total, SumGx = total + statistics }, (float)(1 / sums[^1]));
    }

    private static void Apply(in ColumnNormGradient args, float share)
    {
        long rowsPerPiece = Math.Max(1, FloatsPerPiece / args.Columns);
        int pieces = SimdLoop.Pieces(args.Rows, rowsPerPiece);
        ApplyBody apply = new() { Args = args, RowsPerPiece = rowsPerPiece, PiecesPerGroup = pieces, Share = share };
        SimdLoop.For(args.Groups * pieces, apply);
    }

    private struct SumBody : ISimdLoopBody
    {
        public ColumnNormGradient Args;
        public float* Partials;
        public int Chunks;
        public long RowsPerChunk;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(SumBody), 2.0 * pieces / Chunks * Args.Rows * Args.Columns);

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            (int group, int chunk) = Math.DivRem(index, Chunks);
            int columns = Args.Columns;
            float* sums = Partials + (long)index * 2 * columns;
            new Span<float>(sums, 2 * columns).Clear();
            long last = Math.Min(Args.Rows, (chunk + 1) * RowsPerChunk);
            for (long row = chunk * RowsPerChunk; row < last; row++)
            {
                Row<V>(Args, group * Args.Rows + row, (long)group * columns, sums);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Row<V>(in ColumnNormGradient args, long row, long statistics, float* sums)
            where V : struct, ISimd<V>
        {
            int n = args.Columns;
            float* x = args.X + row * n, dy = args.Dy + row * n, products = sums + n, gain = args.Gain, offset = args.Offset;
            float* shift = args.Shift + statistics, factor = args.Factor + statistics;
            int i = 0;
            for (; i <= n - V.Width; i += V.Width)
            {
                V g = V.Load(dy + i);
                V normalised = (V.Load(x + i) - V.Load(shift + i)) * V.Load(factor + i);
                if (gain is not null) g = V.SelectLess(V.Zero, V.MultiplyAdd(normalised, V.Load(gain + i), V.Load(offset + i)), g, V.Zero);
                V.Store(V.Load(sums + i) + g, sums + i);
                V.Store(V.MultiplyAdd(g, normalised, V.Load(products + i)), products + i);
            }
            for (; i < n; i++)
            {
                float normalised = (x[i] - shift[i]) * factor[i];
                float g = gain is null || normalised * gain[i] + offset[i] > 0 ? dy[i] : 0;
                sums[i] += g;
                products[i] += g * normalised;
            }
        }
    }

    private struct ApplyBody : ISimdLoopBody
    {
        public ColumnNormGradient Args;
        public long RowsPerPiece;
        public int PiecesPerGroup;
        public float Share;

        public readonly KernelWork Describe(int pieces) =>
            KernelWork.Moving(typeof(ApplyBody), 3.0 * pieces / PiecesPerGroup * Args.Rows * Args.Columns);

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            (int group, int piece) = Math.DivRem(index, PiecesPerGroup);
            long last = Math.Min(Args.Rows, (piece + 1) * RowsPerPiece);
            for (long row = piece * RowsPerPiece; row < last; row++)
                Row<V>(Args, group * Args.Rows + row, (long)group * Args.Columns, Share);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Row<V>(in ColumnNormGradient args, long row, long statistics, float share)
            where V : struct, ISimd<V>
        {
            int n = args.Columns;
            float* x = args.X + row * n, dy = args.Dy + row * n, dx = args.Dx + row * n;
            float* gain = args.Gain, offset = args.Offset;
            float* shift = args.Shift + statistics, factor = args.Factor + statistics, scale = args.Scale + statistics;
            float* sumG = args.SumG + statistics, sumGx = args.SumGx + statistics;
            V shares = V.Broadcast(share);
            int i = 0;
            for (; i <= n - V.Width; i += V.Width)
            {
                V g = V.Load(dy + i);
                V normalised = (V.Load(x + i) - V.Load(shift + i)) * V.Load(factor + i);
                if (gain is not null) g = V.SelectLess(V.Zero, V.MultiplyAdd(normalised, V.Load(gain + i), V.Load(offset + i)), g, V.Zero);
                V centred = g - V.Load(sumG + i) * shares - normalised * (V.Load(sumGx + i) * shares);
                V.Store(centred * V.Load(scale + i), dx + i);
            }
            for (; i < n; i++)
            {
                float normalised = (x[i] - shift[i]) * factor[i];
                float g = gain is null || normalised * gain[i] + offset[i] > 0 ? dy[i] : 0;
                dx[i] = (g - sumG[i] * share - normalised * (sumGx[i] * share)) * scale[i];
            }
        }
    }
}
