using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// What one call of the microkernel multiplies: c = Σ over taps t and steps p of a_t[:, p] · b_t[p, :] + addends, with c of
/// up to <see cref="GemmTile.MaxRows"/> rows by two vectors. Several taps make a convolution; a product of matrices has one.
/// All strides count floats.
/// </summary>
internal unsafe struct TileJob
{
    /// <summary>Row 0, step 0 of the first tap of A.</summary>
    public float* A;

    /// <summary>From a row of A to the next.</summary>
    public nint ARowStride;

    /// <summary>From a step of A to the next.</summary>
    public nint AStepStride;

    /// <summary>From a tap of A to the next.</summary>
    public nint ATapStride;

    /// <summary>Two vectors at step 0 of the first tap of B.</summary>
    public float* B;

    /// <summary>From a step of B to the next.</summary>
    public nint BStepStride;

    /// <summary>How far ahead of each step of B another cache line is called for; 0: no farther than usual.</summary>
    public nint Ahead;

    /// <summary>From a tap of B to the next.</summary>
    public nint BTapStride;

    /// <summary>The number of taps.</summary>
    public nint Taps;

    /// <summary>The number of steps of each tap.</summary>
    public nint Steps;

    /// <summary>Where the result goes.</summary>
    public float* C;

    /// <summary>From a row of C to the next.</summary>
    public nint CRowStride;

    /// <summary>Added to the sums at the end; may be C itself; null: nothing.</summary>
    public float* Addend;

    /// <summary>From a row of the addend to the next; 0 for a bias row.</summary>
    public nint AddendRowStride;

    /// <summary>Added after the addend; null: nothing.</summary>
    public float* Residual;

    /// <summary>From a row of the residual to the next.</summary>
    public nint ResidualRowStride;
}

/// <summary>
/// The microkernel that all matrix products and convolutions come down to. Its sums stay in registers: 12 rows of two
/// 512-bit vectors in the 32 registers of AVX-512, 6 rows in the 16 of narrower processors.
/// </summary>
internal static unsafe class GemmTile
{
    /// <summary>The most rows of a tile at any width.</summary>
    public const int MaxRows = 12;

    private const int StepsAhead = 24;

    /// <summary>The most rows of a tile whose sums fit the registers.</summary>
    public static int RowsFor<V>()
        where V : struct, ISimd<V> => V.Width == 16 ? 12 : 6;

    /// <summary>The columns of a tile.</summary>
    public static int PanelWidth<V>()
        where V : struct, ISimd<V> => 2 * V.Width;

    /// <summary>Runs the microkernel for <paramref name="rows"/> rows (1 … <see cref="RowsFor"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Run<V>(int rows, ref readonly TileJob job)
        where V : struct, ISimd<V>
    {
        // In the loop itself a choice costs a register, and products whose weights are near up to a tenth of their time.
        if (job.Ahead != 0) Run<V, Far>(rows, in job);
        else Run<V, Near>(rows, in job);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<V, P>(int rows, ref readonly TileJob job)
        where V : struct, ISimd<V>
        where P : IPrefetch
    {
        switch (rows)
        {
            case 1: Run<V, P, Rows1>(in job); break;
            case 2: Run<V, P, Rows2>(in job); break;
            case 3: Run<V, P, Rows3>(in job); break;
            case 4: Run<V, P, Rows4>(in job); break;
            case 5: Run<V, P, Rows5>(in job); break;
            case 6: Run<V, P, Rows6>(in job); break;
            case 7: Run<V, P, Rows7>(in job); break;
            case 8: Run<V, P, Rows8>(in job); break;
            case 9: Run<V, P, Rows9>(in job); break;
            case 10: Run<V, P, Rows10>(in job); break;
            case 11: Run<V, P, Rows11>(in job); break;
            default: Run<V, P, Rows12>(in job); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Run<V, P, R>(ref readonly TileJob job)
        where V : struct, ISimd<V>
        where P : IPrefetch
        where R : IRowCount
    {
        RowSums<V> r0 = default, r1 = default, r2 = default, r3 = default, r4 = default, r5 = default;
        RowSums<V> r6 = default, r7 = default, r8 = default, r9 = default, r10 = default, r11 = default;
        nint row = job.ARowStride, aStep = job.AStepStride, bStep = job.BStepStride, steps = job.Steps;
        nint far = job.Ahead;
        float* aTap = job.A, bTap = job.B;
        for (nint tap = job.Taps; tap > 0; tap--, aTap += job.ATapStride, bTap += job.BTapStride)
        {
            // One pointer serves three rows: base, base + stride, base + 2 strides are all addressing modes.
            float* a0 = aTap, a3 = a0 + (3 * row), a6 = a0 + (6 * row), a9 = a0 + (9 * row), b = bTap;
            for (nint p = steps; p > 0; p--)
            {
                if (Sse.IsSupported)
                {
                    // Weights that come from afar: up to 8 % on long sums, nothing lost where they are near.
                    Sse.Prefetch0(b + (StepsAhead * bStep));
                    if (P.IsFar) Sse.Prefetch0(b + far);
                    else if (V.Width == 16) Sse.Prefetch0(b + (StepsAhead * bStep) + V.Width);
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
                b += bStep;
                a0 += aStep;
                a3 += aStep;
                a6 += aStep;
                a9 += aStep;
            }
        }
        float* c = job.C, addend = job.Addend, residual = job.Residual;
        nint ldc = job.CRowStride, ldd = job.AddendRowStride, ldr = job.ResidualRowStride;
        r0.Store(ref c, ldc, ref addend, ldd, ref residual, ldr);
        if (R.Rows > 1) r1.Store(ref c, ldc, ref addend, ldd, ref residual, ldr);
        if (R.Rows > 2) r2.Store(ref c, ldc, ref addend, ldd, ref residual, ldr);
        if (R.Rows > 3) r3.Store(ref c, ldc, ref addend, ldd, ref residual, ldr);
        if (R.Rows > 4) r4.Store(ref c, ldc, ref addend, ldd, ref residual, ldr);
        if (R.Rows > 5) r5.Store(ref c, ldc, ref addend, ldd, ref residual, ldr);
        if (R.Rows > 6) r6.Store(ref c, ldc, ref addend, ldd, ref residual, ldr);
        if (R.Rows > 7) r7.Store(ref c, ldc, ref addend, ldd, ref residual, ldr);
        if (R.Rows > 8) r8.Store(ref c, ldc, ref addend, ldd, ref residual, ldr);
        if (R.Rows > 9) r9.Store(ref c, ldc, ref addend, ldd, ref residual, ldr);
        if (R.Rows > 10) r10.Store(ref c, ldc, ref addend, ldd, ref residual, ldr);
        if (R.Rows > 11) r11.Store(ref c, ldc, ref addend, ldd, ref residual, ldr);
    }

    /// <summary>Whether the second cache line that each step calls for is <see cref="TileJob.Ahead"/>, not the next one.</summary>
    private interface IPrefetch
    {
        static abstract bool IsFar { get; }
    }

    private readonly struct Near : IPrefetch
    {
        public static bool IsFar
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => false;
        }
    }

    private readonly struct Far : IPrefetch
    {
        public static bool IsFar
        {
            [MethodImpl(MethodImplOptions.AggressiveInlining)]
            get => true;
        }
    }

    /// <summary>The sums of one row of the tile.</summary>
    private struct RowSums<V>
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

        /// <summary>Stores the row and moves the pointers on to the next one.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Store(ref float* c, nint cStride, ref float* addend, nint addendStride, ref float* residual, nint residualStride)
        {
            V left = _left, right = _right;
            if (addend != null)
            {
                left += V.Load(addend);
                right += V.Load(addend + V.Width);
                addend += addendStride;
            }
            if (residual != null)
            {
                left += V.Load(residual);
                right += V.Load(residual + V.Width);
                residual += residualStride;
            }
            V.Store(left, c);
            V.Store(right, c + V.Width);
            c += cStride;
        }
    }
}
