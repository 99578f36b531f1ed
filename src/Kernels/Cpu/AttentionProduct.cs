using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The small matrix products of attention: scores, weighted sums and their gradients. Both factors lie in the first or
/// second cache; rows of the second factor and of the result are padded to whole vectors.
/// </summary>
/// <remarks>
/// Six rows by two vectors of the result stay in registers: twelve independent sums hide the latency of the
/// multiply-add, and with two vectors of the second factor and a broadcast they fit 16 registers (AVX2).
/// </remarks>
internal static unsafe class AttentionProduct
{
    private const int TileRows = 6;

    /// <summary>Longer sums are cut into parts of this many terms, which keeps the rounding error from growing with the length.</summary>
    private const int MaxTerms = 128;

    /// <summary>C = A · B for A [rows, depth], B [depth, columns] and C [rows, columns]; columns is a multiple of the vector width.</summary>
    public static void Multiply<V>(float* a, nint aStride, float* b, nint bStride, float* c, nint cStride, int rows, int depth, int columns)
        where V : struct, ISimd<V> => Run<V>(a, aStride, 1, b, bStride, c, cStride, rows, depth, columns, add: false);

    /// <summary>C += Aᵀ · B for A [depth, rows], B [depth, columns] and C [rows, columns]; columns is a multiple of the vector width.</summary>
    public static void AddTransposed<V>(float* a, nint aStride, float* b, nint bStride, float* c, nint cStride, int rows, int depth, int columns)
        where V : struct, ISimd<V> => Run<V>(a, 1, aStride, b, bStride, c, cStride, rows, depth, columns, add: true);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Run<V>(float* a, nint aRow, nint aStep, float* b, nint bStride, float* c, nint cStride, int rows, int depth, int columns, bool add)
        where V : struct, ISimd<V>
    {
        for (int column = 0; column < columns; column += 2 * V.Width)
        {
            bool pair = column + V.Width < columns;
            for (int row = 0; row < rows; row += TileRows)
            {
                int tileRows = Math.Min(TileRows, rows - row);
                float* tile = c + row * cStride + column;
                for (int start = 0; start < depth; start += MaxTerms)
                {
                    int terms = Math.Min(MaxTerms, depth - start);
                    float* aStart = a + row * aRow + start * aStep;
                    float* bStart = b + start * bStride + column;
                    if (pair)
                        TwoVectors<V>(aStart, aRow, aStep, bStart, bStride, tile, cStride, tileRows, terms, add || start > 0);
                    else
                        OneVector<V>(aStart, aRow, aStep, bStart, bStride, tile, cStride, tileRows, terms, add || start > 0);
                }
            }
        }
    }

    /// <summary>Up to six rows by two vectors. Rows that are not there repeat the first one and are not stored.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void TwoVectors<V>(float* a, nint aRow, nint aStep, float* b, nint bStride, float* c, nint cStride, int rows, int terms, bool add)
        where V : struct, ISimd<V>
    {
        nint row1 = rows > 1 ? aRow : 0, row2 = rows > 2 ? 2 * aRow : 0, row3 = rows > 3 ? 3 * aRow : 0;
        nint row4 = rows > 4 ? 4 * aRow : 0, row5 = rows > 5 ? 5 * aRow : 0;
        V c00 = V.Zero, c01 = V.Zero, c10 = V.Zero, c11 = V.Zero, c20 = V.Zero, c21 = V.Zero;
        V c30 = V.Zero, c31 = V.Zero, c40 = V.Zero, c41 = V.Zero, c50 = V.Zero, c51 = V.Zero;
        for (int k = 0; k < terms; k++)
        {
            V b0 = V.Load(b), b1 = V.Load(b + V.Width);
            V x = V.Broadcast(*a);
            c00 = V.MultiplyAdd(x, b0, c00);
            c01 = V.MultiplyAdd(x, b1, c01);
            x = V.Broadcast(a[row1]);
            c10 = V.MultiplyAdd(x, b0, c10);
            c11 = V.MultiplyAdd(x, b1, c11);
            x = V.Broadcast(a[row2]);
            c20 = V.MultiplyAdd(x, b0, c20);
            c21 = V.MultiplyAdd(x, b1, c21);
            x = V.Broadcast(a[row3]);
            c30 = V.MultiplyAdd(x, b0, c30);
            c31 = V.MultiplyAdd(x, b1, c31);
            x = V.Broadcast(a[row4]);
            c40 = V.MultiplyAdd(x, b0, c40);
            c41 = V.MultiplyAdd(x, b1, c41);
            x = V.Broadcast(a[row5]);
            c50 = V.MultiplyAdd(x, b0, c50);
            c51 = V.MultiplyAdd(x, b1, c51);
            a += aStep;
            b += bStride;
        }
        Store(c, c00, c01, add);
        if (rows > 1) Store(c + cStride, c10, c11, add);
        if (rows > 2) Store(c + 2 * cStride, c20, c21, add);
        if (rows > 3) Store(c + 3 * cStride, c30, c31, add);
        if (rows > 4) Store(c + 4 * cStride, c40, c41, add);
        if (rows > 5) Store(c + 5 * cStride, c50, c51, add);
    }

    /// <summary>Up to six rows by one vector: the last column of an odd number of vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void OneVector<V>(float* a, nint aRow, nint aStep, float* b, nint bStride, float* c, nint cStride, int rows, int terms, bool add)
        where V : struct, ISimd<V>
    {
        nint row1 = rows > 1 ? aRow : 0, row2 = rows > 2 ? 2 * aRow : 0, row3 = rows > 3 ? 3 * aRow : 0;
        nint row4 = rows > 4 ? 4 * aRow : 0, row5 = rows > 5 ? 5 * aRow : 0;
        V c0 = V.Zero, c1 = V.Zero, c2 = V.Zero, c3 = V.Zero, c4 = V.Zero, c5 = V.Zero;
        for (int k = 0; k < terms; k++)
        {
            V x = V.Load(b);
            c0 = V.MultiplyAdd(V.Broadcast(*a), x, c0);
            c1 = V.MultiplyAdd(V.Broadcast(a[row1]), x, c1);
            c2 = V.MultiplyAdd(V.Broadcast(a[row2]), x, c2);
            c3 = V.MultiplyAdd(V.Broadcast(a[row3]), x, c3);
            c4 = V.MultiplyAdd(V.Broadcast(a[row4]), x, c4);
            c5 = V.MultiplyAdd(V.Broadcast(a[row5]), x, c5);
            a += aStep;
            b += bStride;
        }
        Store(c, c0, add);
        if (rows > 1) Store(c + cStride, c1, add);
        if (rows > 2) Store(c + 2 * cStride, c2, add);
        if (rows > 3) Store(c + 3 * cStride, c3, add);
        if (rows > 4) Store(c + 4 * cStride, c4, add);
        if (rows > 5) Store(c + 5 * cStride, c5, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<V>(float* c, V first, V second, bool add)
        where V : struct, ISimd<V>
    {
        Store(c, first, add);
        Store(c + V.Width, second, add);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<V>(float* c, V value, bool add)
        where V : struct, ISimd<V> => V.Store(add ? V.Load(c) + value : value, c);
}
