using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// What one call of <see cref="WinogradTile"/> multiplies: c (+)= Σ over steps p of a[:, p] · b[p, :], with c of up to 12 rows
/// by two vectors. Strides count floats, in the place of which rounded operands have two int16.
/// </summary>
internal unsafe struct WinogradJob
{
    /// <summary>Row 0, step 0 of A.</summary>
    public float* A;

    /// <summary>By what the int32 sums of a row are to be multiplied, where A is rounded.</summary>
    public float* RowScales;

    /// <summary>By what those of a column are.</summary>
    public float* ColumnScales;

    /// <summary>From a row of A to the next.</summary>
    public nint ARowStride;

    /// <summary>From a step of A to the next.</summary>
    public nint AStepStride;

    /// <summary>Two vectors at step 0 of B; a step is <see cref="Winograd.PanelWidth"/> long.</summary>
    public float* B;

    /// <summary>Sums that are formed in registers, each from zero, and then added to C.</summary>
    public nint Sums;

    /// <summary>Steps of each sum.</summary>
    public nint Steps;

    /// <summary>Where the result goes; a row is <see cref="Winograd.PanelWidth"/> long.</summary>
    public float* C;

    /// <summary>Whether C holds something to be added to.</summary>
    public bool Accumulate;

    /// <summary>Memory that later calls read.</summary>
    public Stream First;

    /// <summary>Other memory that later calls read.</summary>
    public Stream Second;

    /// <summary>Memory that is called for while a tile is computed, one line per step.</summary>
    internal struct Stream
    {
        /// <summary>Called for at step 0.</summary>
        public float* Position;

        /// <summary>From a step to the next; less than a line if there is time.</summary>
        public nint Stride;
    }
}

/// <summary>
/// The microkernel of Winograd's products. Other than <see cref="GemmTile"/> it forms many short sums, for the transforms
/// multiply rounding errors, and its operands come from far away and are used few times, so that it calls for what is next: all
/// of that takes 142 GFLOP/s to 216 where the weights come from memory, 195 to 228 elsewhere.
/// </summary>
internal static unsafe class WinogradTile
{
    /// <summary>Runs the microkernel for <paramref name="rows"/> rows (1 … <see cref="GemmTile.RowsFor"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<V, S>(int rows, ref readonly WinogradJob job)
        where V : struct, ISimd<V>
        where S : struct, IRowSums<V>
    {
        switch (rows)
        {
            case 1: Run<V, S, Rows1>(in job); break;
            case 2: Run<V, S, Rows2>(in job); break;
            case 3: Run<V, S, Rows3>(in job); break;
            case 4: Run<V, S, Rows4>(in job); break;
            case 5: Run<V, S, Rows5>(in job); break;
            case 6: Run<V, S, Rows6>(in job); break;
            case 7: Run<V, S, Rows7>(in job); break;
            case 8: Run<V, S, Rows8>(in job); break;
            case 9: Run<V, S, Rows9>(in job); break;
            case 10: Run<V, S, Rows10>(in job); break;
            case 11: Run<V, S, Rows11>(in job); break;
            default: Run<V, S, Rows12>(in job); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Run<V, S, R>(ref readonly WinogradJob job)
        where V : struct, ISimd<V>
        where S : struct, IRowSums<V>
        where R : IRowCount
    {
        nint row = job.ARowStride, step = job.AStepStride, firstStride = job.First.Stride, secondStride = job.Second.Stride;
        float* a0 = job.A, a3 = a0 + (3 * row), a6 = a0 + (6 * row), a9 = a0 + (9 * row), b = job.B;
        float* first = job.First.Position, second = job.Second.Position;
        bool accumulate = job.Accumulate;
        for (nint sum = job.Sums; sum > 0; sum--, accumulate = true)
        {
            S r0 = default, r1 = default, r2 = default, r3 = default, r4 = default, r5 = default;
            S r6 = default, r7 = default, r8 = default, r9 = default, r10 = default, r11 = default;
            for (nint p = job.Steps; p > 0; p--)
            {
                if (Sse.IsSupported)
                {
                    Sse.Prefetch0(first);
                    Sse.Prefetch0(second);
                    first += firstStride;
                    second += secondStride;
                }
                V left = V.Load(b), right = V.Load(b + V.Width);
                r0.Add(a0[0], left, right);
                if (R.Rows > 1) r1.Add(a0[row], left, right);
                if (R.Rows > 2) r2.Add(a0[2 * row], left, right);
                if (R.Rows > 3) r3.Add(a3[0], left, right);
                if (R.Rows > 4) r4.Add(a3[row], left, right);
                if (R.Rows > 5) r5.Add(a3[2 * row], left, right);
                if (R.Rows > 6) r6.Add(a6[0], left, right);
                if (R.Rows > 7) r7.Add(a6[row], left, right);
                if (R.Rows > 8) r8.Add(a6[2 * row], left, right);
                if (R.Rows > 9) r9.Add(a9[0], left, right);
                if (R.Rows > 10) r10.Add(a9[row], left, right);
                if (R.Rows > 11) r11.Add(a9[2 * row], left, right);
                b += Winograd.PanelWidth;
                a0 += step;
                a3 += step;
                a6 += step;
                a9 += step;
            }
            float* c = job.C, scale = job.RowScales;
            r0.Store(ref c, ref scale, job.ColumnScales, accumulate);
            if (R.Rows > 1) r1.Store(ref c, ref scale, job.ColumnScales, accumulate);
            if (R.Rows > 2) r2.Store(ref c, ref scale, job.ColumnScales, accumulate);
            if (R.Rows > 3) r3.Store(ref c, ref scale, job.ColumnScales, accumulate);
            if (R.Rows > 4) r4.Store(ref c, ref scale, job.ColumnScales, accumulate);
            if (R.Rows > 5) r5.Store(ref c, ref scale, job.ColumnScales, accumulate);
            if (R.Rows > 6) r6.Store(ref c, ref scale, job.ColumnScales, accumulate);
            if (R.Rows > 7) r7.Store(ref c, ref scale, job.ColumnScales, accumulate);
            if (R.Rows > 8) r8.Store(ref c, ref scale, job.ColumnScales, accumulate);
            if (R.Rows > 9) r9.Store(ref c, ref scale, job.ColumnScales, accumulate);
            if (R.Rows > 10) r10.Store(ref c, ref scale, job.ColumnScales, accumulate);
            if (R.Rows > 11) r11.Store(ref c, ref scale, job.ColumnScales, accumulate);
        }
    }
}
