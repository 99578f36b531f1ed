using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The small matrix products of attention: scores, weighted sums and their gradients. Both factors lie in the first or
/// second cache; rows of the second factor and of the result are padded to whole vectors.
/// </summary>
/// <remarks>
/// Up to twelve rows by two vectors of the result stay in the 32 registers of AVX-512, six in the 16 of narrower
/// processors. Rows are shared out evenly among tiles, so that no tile is left with too few sums to hide the latency of
/// the multiply-add.
/// </remarks>
internal static unsafe class AttentionProduct
{
    /// <summary>Longer sums are cut into parts of at most this many terms, which keeps the rounding error from growing with the length.</summary>
    private const int MaxTerms = 144;

    private const int MaxTileRows = 12;

    /// <summary>C = A · B for A [rows, depth], B [depth, columns] and C [rows, columns]; columns is a multiple of the vector width.</summary>
    public static void Multiply<V>(float* a, nint aStride, float* b, nint bStride, float* c, nint cStride, int rows, int depth, int columns)
        where V : struct, ISimd<V> => Run<V>(a, aStride, 1, b, bStride, c, cStride, rows, depth, columns, default);

    /// <summary>The same with a row added to each row of the product.</summary>
    public static void Multiply<V>(float* a, nint aStride, float* b, nint bStride, float* c, nint cStride, int rows, int depth, int columns, AddedRows added)
        where V : struct, ISimd<V> => Run<V>(a, aStride, 1, b, bStride, c, cStride, rows, depth, columns, added);

    /// <summary>C += Aᵀ · B for A [depth, rows], B [depth, columns] and C [rows, columns]; columns is a multiple of the vector width.</summary>
    public static void AddTransposed<V>(float* a, nint aStride, float* b, nint bStride, float* c, nint cStride, int rows, int depth, int columns)
        where V : struct, ISimd<V> => Run<V>(a, 1, aStride, b, bStride, c, cStride, rows, depth, columns, new AddedRows(c, cStride));

    /// <summary>The most rows of a tile whose sums fit the registers.</summary>
    public static int TileRows<V>()
        where V : struct, ISimd<V> => V.Width == 16 ? MaxTileRows : 6;

    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<V>(float* a, nint aRow, nint aStep, float* b, nint bStride, float* c, nint cStride, int rows, int depth, int columns, AddedRows added)
        where V : struct, ISimd<V>
    {
        int* offsets = stackalloc int[MaxTileRows];
        int tiles = (rows + TileRows<V>() - 1) / TileRows<V>(), parts = Math.Max(1, (depth + MaxTerms - 1) / MaxTerms);
        TileJob job = new() { ARow = aRow, AStep = aStep, BStride = bStride, CStride = cStride, Columns = columns };
        for (int tile = 0, row = 0; tile < tiles; tile++)
        {
            int tileRows = (rows - row) / (tiles - tile);
            job.C = c + (row * cStride);
            job.Added = added.From(row, tileRows, offsets, out job.AddedOffsets);
            for (int part = 0, start = 0; part < parts; part++)
            {
                job.A = a + (row * aRow) + (start * aStep);
                job.B = b + (start * bStride);
                job.Steps = (depth - start) / (parts - part);
                if (part > 0) job.Added = new AddedRows(job.C, cStride).From(0, tileRows, offsets, out job.AddedOffsets);
                Tile<V>(tileRows, in job);
                start += (int)job.Steps;
            }
            row += tileRows;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile<V>(int rows, ref readonly TileJob job)
        where V : struct, ISimd<V>
    {
        switch (rows)
        {
            case 1: Tile<V, Rows1>(in job); break;
            case 2: Tile<V, Rows2>(in job); break;
            case 3: Tile<V, Rows3>(in job); break;
            case 4: Tile<V, Rows4>(in job); break;
            case 5: Tile<V, Rows5>(in job); break;
            case 6: Tile<V, Rows6>(in job); break;
            case 7: Tile<V, Rows7>(in job); break;
            case 8: Tile<V, Rows8>(in job); break;
            case 9: Tile<V, Rows9>(in job); break;
            case 10: Tile<V, Rows10>(in job); break;
            case 11: Tile<V, Rows11>(in job); break;
            default: Tile<V, Rows12>(in job); break;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Tile<V, TRows>(ref readonly TileJob job)
        where V : struct, ISimd<V>
        where TRows : IRowCount
    {
        int pairs = job.Columns / (2 * V.Width);
        if (pairs > 0) Sums<V, TRows, Rows2>(in job, 0, pairs);
        if (job.Columns > pairs * 2 * V.Width) Sums<V, TRows, Rows1>(in job, pairs * 2 * V.Width, 1);
    }

    /// <summary>TRows rows by <paramref name="panels"/> times TVectors vectors, 1 or 2, of the product.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization | MethodImplOptions.NoInlining)]
    private static void Sums<V, TRows, TVectors>(ref readonly TileJob job, nint column, int panels)
        where V : struct, ISimd<V>
        where TRows : IRowCount
        where TVectors : IRowCount
    {
        nint row = job.ARow, aStep = job.AStep, bStride = job.BStride;
        for (; panels > 0; panels--, column += TVectors.Rows * V.Width)
        {
            RowSums<V, TVectors> r0 = default, r1 = default, r2 = default, r3 = default, r4 = default, r5 = default;
            RowSums<V, TVectors> r6 = default, r7 = default, r8 = default, r9 = default, r10 = default, r11 = default;
            // One pointer serves three rows: base, base + stride, base + 2 strides are all addressing modes.
            float* a0 = job.A, a3 = a0 + (3 * row), a6 = a0 + (6 * row), a9 = a0 + (9 * row), b = job.B + column;
            for (nint steps = job.Steps; steps > 0; steps--)
            {
                V left = V.Load(b), right = TVectors.Rows > 1 ? V.Load(b + V.Width) : V.Zero;
                r0.Add(a0[0], left, right);
                if (TRows.Rows > 1) r1.Add(a0[row], left, right);
                if (TRows.Rows > 2) r2.Add(a0[2 * row], left, right);
                if (TRows.Rows > 3) r3.Add(a3[0], left, right);
                if (TRows.Rows > 4) r4.Add(a3[row], left, right);
                if (TRows.Rows > 5) r5.Add(a3[2 * row], left, right);
                if (TRows.Rows > 6) r6.Add(a6[0], left, right);
                if (TRows.Rows > 7) r7.Add(a6[row], left, right);
                if (TRows.Rows > 8) r8.Add(a6[2 * row], left, right);
                if (TRows.Rows > 9) r9.Add(a9[0], left, right);
                if (TRows.Rows > 10) r10.Add(a9[row], left, right);
                if (TRows.Rows > 11) r11.Add(a9[2 * row], left, right);
                a0 += aStep;
                a3 += aStep;
                a6 += aStep;
                a9 += aStep;
                b += bStride;
            }
            float* c = job.C + column;
            float* added = job.Added;
            int* offsets = job.AddedOffsets;
            if (added != null)
            {
                added += column;
                r0.AddRow(added + offsets[0]);
                if (TRows.Rows > 1) r1.AddRow(added + offsets[1]);
                if (TRows.Rows > 2) r2.AddRow(added + offsets[2]);
                if (TRows.Rows > 3) r3.AddRow(added + offsets[3]);
                if (TRows.Rows > 4) r4.AddRow(added + offsets[4]);
                if (TRows.Rows > 5) r5.AddRow(added + offsets[5]);
                if (TRows.Rows > 6) r6.AddRow(added + offsets[6]);
                if (TRows.Rows > 7) r7.AddRow(added + offsets[7]);
                if (TRows.Rows > 8) r8.AddRow(added + offsets[8]);
                if (TRows.Rows > 9) r9.AddRow(added + offsets[9]);
                if (TRows.Rows > 10) r10.AddRow(added + offsets[10]);
                if (TRows.Rows > 11) r11.AddRow(added + offsets[11]);
            }
            nint stride = job.CStride;
            r0.Store(ref c, stride);
            if (TRows.Rows > 1) r1.Store(ref c, stride);
            if (TRows.Rows > 2) r2.Store(ref c, stride);
            if (TRows.Rows > 3) r3.Store(ref c, stride);
            if (TRows.Rows > 4) r4.Store(ref c, stride);
            if (TRows.Rows > 5) r5.Store(ref c, stride);
            if (TRows.Rows > 6) r6.Store(ref c, stride);
            if (TRows.Rows > 7) r7.Store(ref c, stride);
            if (TRows.Rows > 8) r8.Store(ref c, stride);
            if (TRows.Rows > 9) r9.Store(ref c, stride);
            if (TRows.Rows > 10) r10.Store(ref c, stride);
            if (TRows.Rows > 11) r11.Store(ref c, stride);
        }
    }

    /// <summary>Rows to be added to those of a product: where each begins, or one after the other.</summary>
    internal readonly struct AddedRows
    {
        private readonly float* _start;
        private readonly nint _stride;
        private readonly int* _offsets;

        /// <summary>Row i begins at <paramref name="start"/> + i · <paramref name="stride"/>; a stride of 0 adds the same row everywhere.</summary>
        public AddedRows(float* start, nint stride)
        {
            _start = start;
            _stride = stride;
        }

        /// <summary>Row i begins at <paramref name="start"/> + <paramref name="offsets"/>[i].</summary>
        public AddedRows(float* start, int* offsets)
        {
            _start = start;
            _offsets = offsets;
        }

        /// <summary>The rows of a tile as offsets from one pointer, which is null if nothing is added.</summary>
        public float* From(int row, int rows, int* buffer, out int* offsets)
        {
            offsets = buffer;
            if (_offsets != null) offsets = _offsets + row;
            else
                for (int i = 0; i < rows; i++) buffer[i] = (int)(i * _stride);
            return _start + (row * _stride);
        }
    }

    /// <summary>Some rows of a product; strides count floats.</summary>
    private struct TileJob
    {
        public float* A, B, C, Added;
        public nint ARow, AStep, BStride, CStride, Steps;
        public int* AddedOffsets;
        public int Columns;
    }

    /// <summary>The sums of one row of a tile.</summary>
    private struct RowSums<V, TVectors>
        where V : struct, ISimd<V>
        where TVectors : IRowCount
    {
        private V _left;
        private V _right;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void Add(float a, V left, V right)
        {
            V x = V.Broadcast(a);
            _left = V.MultiplyAdd(x, left, _left);
            if (TVectors.Rows > 1) _right = V.MultiplyAdd(x, right, _right);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public void AddRow(float* row)
        {
            _left += V.Load(row);
            if (TVectors.Rows > 1) _right += V.Load(row + V.Width);
        }

        /// <summary>Stores the row and moves the pointer on to the next one.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public readonly void Store(ref float* c, nint stride)
        {
            V.Store(_left, c);
            if (TVectors.Rows > 1) V.Store(_right, c + V.Width);
            c += stride;
        }
    }
}
