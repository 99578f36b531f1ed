using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>Rows of a table by their numbers, and the gradient of the table.</summary>
public static unsafe class Embedding
{
    private const int RowsPerPiece = 32;
    private const int ChannelsPerPiece = 64;

    /// <summary>y[i] = table[ids[i]]: table [rows, C], ids [count], all of them rows of the table, y [count, C].</summary>
    public static void Forward(float* table, long* ids, float* y, long count, int channels)
    {
        ForwardBody body = new() { Table = table, Ids = ids, Y = y, Count = count, Channels = channels };
        Workers.Current.For(SimdLoop.Pieces(count, RowsPerPiece), ref body);
    }

    /// <summary>
    /// dTable[ids[i]] += dy[i], in the order of i whatever the number of workers: dy [count, C], ids [count], dTable
    /// [<paramref name="rows"/>, C], cleared by the caller.
    /// </summary>
    public static void Backward(float* dy, long* ids, float* dTable, long count, int channels, int rows)
    {
        for (long i = 0; i < count; i++) Debug.Assert((ulong)ids[i] < (ulong)rows, "an id is no row of the table");
        BackwardBody body = new() { DY = dy, Ids = ids, DTable = dTable, Count = count, Channels = channels };
        SimdLoop.For(SimdLoop.Pieces(channels, ChannelsPerPiece), body);
    }

    private struct ForwardBody : ILoopBody
    {
        public float* Table;
        public long* Ids;
        public float* Y;
        public long Count;
        public int Channels;

        public readonly KernelWork Describe(int pieces) => KernelWork.Moving(typeof(ForwardBody), 2.0 * Count * Channels);

        public readonly void Run(int index, int worker)
        {
            long end = Math.Min(Count, (index + 1L) * RowsPerPiece);
            for (long i = (long)index * RowsPerPiece; i < end; i++)
                Unsafe.CopyBlockUnaligned(Y + i * Channels, Table + Ids[i] * Channels, (uint)Channels * sizeof(float));
        }
    }

    /// <summary>All rows, but a slice of the channels: no two workers add to the same number.</summary>
    private struct BackwardBody : ISimdLoopBody
    {
        public float* DY;
        public long* Ids;
        public float* DTable;
        public long Count;
        public int Channels;

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            int start = index * ChannelsPerPiece, length = Math.Min(ChannelsPerPiece, Channels - start);
            for (long i = 0; i < Count; i++) AddRow<V>(DY + i * Channels + start, DTable + Ids[i] * Channels + start, length);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void AddRow<V>(float* term, float* sum, int length)
            where V : struct, ISimd<V>
        {
            int c = 0;
            for (; c + V.Width <= length; c += V.Width) V.Store(V.Load(sum + c) + V.Load(term + c), sum + c);
            for (; c < length; c++) sum[c] += term[c];
        }
    }
}
