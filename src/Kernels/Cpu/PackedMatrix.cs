namespace Lavt.Kernels.Cpu;

/// <summary>
/// The right operand of a product in the order in which the microkernel reads it: panels of as many columns as two vectors
/// hold, [panels, rows, panel width], the last panel filled up with zeros. Worth its memory for weights that many products
/// use. The order depends on the processor's vector width: it is made in memory and never saved.
/// </summary>
public sealed unsafe class PackedMatrix : IDisposable
{
    private readonly HostBlock _block;

    private PackedMatrix(int rows, int columns, long bytes)
    {
        Rows = rows;
        Columns = columns;
        _block = new HostBlock(bytes);
    }

    /// <summary>The summed dimension, K.</summary>
    public int Rows { get; }

    /// <summary>The columns of the product, N.</summary>
    public int Columns { get; }

    /// <summary>The packed numbers.</summary>
    internal float* Panels => _block.Data;

    /// <summary>Packs a copy of a [<paramref name="k"/>, <paramref name="n"/>] matrix.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative.</exception>
    public static PackedMatrix Pack(Matrix b, int k, int n)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        return CpuInfo.VectorBits switch
        {
            512 => Pack<F512>(b, k, n),
            256 => Pack<F256>(b, k, n),
            _ => Pack<F128>(b, k, n),
        };
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose() => _block.Dispose();

    /// <summary>The bytes that <see cref="PackInto"/> fills.</summary>
    internal static long BytesFor<V>(int k, int n)
        where V : struct, ISimd<V>
    {
        int width = GemmTile.PanelWidth<V>();
        return ((long)n + width - 1) / width * width * k * sizeof(float);
    }

    /// <summary>Packs a matrix on all workers.</summary>
    internal static void PackInto<V>(Matrix b, int k, int n, float* destination)
        where V : struct, ISimd<V>
    {
        PackLoop<V> loop = new(b, k, n, destination);
        Workers.Current.For(loop.Pieces, ref loop);
    }

    private static PackedMatrix Pack<V>(Matrix b, int k, int n)
        where V : struct, ISimd<V>
    {
        PackedMatrix packed = new(k, n, BytesFor<V>(k, n));
        PackInto<V>(b, k, n, packed._block.Data);
        return packed;
    }

    /// <summary>Packs a stretch of rows of one panel.</summary>
    private readonly struct PackLoop<V>(Matrix b, int k, int n, float* destination) : ILoopBody
        where V : struct, ISimd<V>
    {
        private const int RowsAtOnce = 512;

        private readonly int _stretches = (k + RowsAtOnce - 1) / RowsAtOnce;

        public int Pieces => _stretches * (int)(((long)n + GemmTile.PanelWidth<V>() - 1) / GemmTile.PanelWidth<V>());

        public KernelWork Describe(int pieces) => KernelWork.Moving(typeof(PackLoop<V>), 2.0 * k * n);

        public void Run(int index, int worker)
        {
            int width = GemmTile.PanelWidth<V>(), panel = index / _stretches, row = index % _stretches * RowsAtOnce;
            float* source = b.At(row, (nint)panel * width);
            float* target = destination + ((((nint)panel * k) + row) * width);
            GemmPack.PanelOfB<V>(source, b.RowStride, b.ColumnStride, Math.Min(RowsAtOnce, k - row), n - (panel * width), target);
        }
    }
}
