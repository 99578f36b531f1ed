namespace Lavt.Kernels.Cpu;

/// <summary>
/// The weight of a linear layer rounded to bfloat16, in the order in which <see cref="Bf16Tile"/> reads it: panels of 32
/// outputs, [panels, pairs of inputs, 32 outputs, 2], filled up with zeros. Half the size of a <see cref="PackedMatrix"/>.
/// </summary>
public sealed unsafe class PackedBf16Matrix : IDisposable
{
    private readonly HostBlock _block;

    private PackedBf16Matrix(int rows, int columns)
    {
        Rows = rows;
        Columns = columns;
        _block = new HostBlock((long)PanelCount * PanelFloats * sizeof(float));
    }

    /// <summary>The summed dimension, K: the layer's inputs.</summary>
    public int Rows { get; }

    /// <summary>The columns of the product, N: the layer's outputs.</summary>
    public int Columns { get; }

    /// <summary>Pairs of rows.</summary>
    internal int Pairs => (Rows + 1) / 2;

    /// <summary>The panels.</summary>
    internal int PanelCount => (Columns + Bf16Tile.PanelWidth - 1) / Bf16Tile.PanelWidth;

    /// <summary>From a panel to the next, counted in floats, each of which is the place of a pair.</summary>
    internal nint PanelFloats => (nint)Pairs * Bf16Tile.PanelWidth;

    /// <summary>The packed pairs.</summary>
    internal float* Panels => _block.Data;

    /// <summary>Rounds and packs a weight [<paramref name="n"/>, <paramref name="k"/>].</summary>
    /// <exception cref="PlatformNotSupportedException">This machine has no products of bfloat16; see <see cref="Bf16Gemm.Missing"/>.</exception>
    public static PackedBf16Matrix Pack(float* weight, int n, int k)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(n);
        ArgumentOutOfRangeException.ThrowIfNegative(k);
        Bf16Gemm.ThrowIfMissing();
        PackedBf16Matrix packed = new(k, n);
        PackLoop loop = new() { Weight = weight, N = n, K = k, Pairs = packed.Pairs, Panels = packed.Panels };
        Workers.Current.For(packed.PanelCount, ref loop);
        return packed;
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose() => _block.Dispose();

    /// <summary>Packs one panel: 32 rows of the weight become columns of pairs.</summary>
    private struct PackLoop : ILoopBody
    {
        public float* Weight, Panels;
        public int N, K, Pairs;

        public readonly void Run(int index, int worker)
        {
            int first = index * Bf16Tile.PanelWidth, rows = Math.Min(Bf16Tile.PanelWidth, N - first);
            long count = (long)Bf16Tile.PanelWidth * Pairs;
            float* pairs = (float*)Workers.Scratch(count * sizeof(float));
            if (rows < Bf16Tile.PanelWidth) new Span<float>(pairs, checked((int)count)).Clear();
            for (int i = 0; i < rows; i++)
                Bf16Gemm.Round(Weight + ((nint)(first + i) * K), K, (ushort*)(pairs + ((nint)i * Pairs)));
            Transpose.Run(pairs, Pairs, Panels + (index * count), Bf16Tile.PanelWidth, Bf16Tile.PanelWidth, Pairs);
        }
    }
}
