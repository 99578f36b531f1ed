namespace Lavt.Kernels.Cpu;

/// <summary>
/// How a product is cut into tasks. It depends on the shape alone, never on the number of workers, so that the same bits
/// come out on every machine width for width.
/// </summary>
internal struct GemmPlan
{
    /// <summary>Longer sums are added up in pieces: that bounds both the rounding error and what a task keeps in its cache.</summary>
    public const int LongestSum = 512;

    /// <summary>Tasks wanted, so that many cores find work and unequal ones share it evenly.</summary>
    private const int WantedTasks = 16;

    /// <summary>A chunk of the summed dimension shorter than this is not worth its own partial result.</summary>
    private const int ShortestChunk = 1024;

    private readonly int _tileRows;
    private readonly int _panelWidth;

    /// <summary>Plans C[m, n] = A[m, k] · B[k, n].</summary>
    /// <param name="m">Rows of C.</param>
    /// <param name="n">Columns of C.</param>
    /// <param name="k">The summed dimension.</param>
    /// <param name="packsA">Whether A has to be packed, which larger blocks make up for.</param>
    /// <param name="tileRows">Rows of the microkernel.</param>
    /// <param name="panelWidth">Columns of the microkernel.</param>
    public GemmPlan(int m, int n, int k, bool packsA, int tileRows, int panelWidth)
    {
        _tileRows = tileRows;
        _panelWidth = panelWidth;
        Tiles = Pieces(m, tileRows);
        Panels = Pieces(n, panelWidth);
        SumBlock = packsA ? LongestSum / 2 : LongestSum;
        (int blockRows, int blockColumns) = packsA ? (240, 256) : k <= 128 ? (120, 512) : (240, 128);
        RowBlocks = Pieces(m, blockRows);
        ColumnBlocks = Pieces(n, blockColumns);
        Chunks = 1;

        // Smaller blocks cost little as long as nothing is packed for them; chunks cost a pass over the result.
        if (packsA) SplitSums(k);
        SplitBlocks(blockRows, blockColumns);
        if (!packsA) SplitSums(k);
    }

    /// <summary>Tiles of rows in all.</summary>
    public int Tiles { get; }

    /// <summary>Panels of columns in all.</summary>
    public int Panels { get; }

    /// <summary>Steps of the summed dimension after which sums go from the registers to memory, at most.</summary>
    public int SumBlock { get; }

    /// <summary>Blocks of rows.</summary>
    public int RowBlocks { get; private set; }

    /// <summary>Blocks of columns.</summary>
    public int ColumnBlocks { get; private set; }

    /// <summary>Chunks of the summed dimension whose sums are kept apart and added up, in order, at the end.</summary>
    public int Chunks { get; private set; }

    /// <summary>Independent tasks.</summary>
    public readonly int Tasks => RowBlocks * ColumnBlocks * Chunks;

    /// <summary>The first row of a block of rows (of block <see cref="RowBlocks"/>: the end).</summary>
    public readonly int FirstRow(int block, int m) => Math.Min(m, (int)((long)Tiles * block / RowBlocks) * _tileRows);

    /// <summary>The first panel of a block of columns (of block <see cref="ColumnBlocks"/>: the end).</summary>
    public readonly int FirstPanel(int block) => (int)((long)Panels * block / ColumnBlocks);

    /// <summary>The first step of a chunk of the summed dimension (of chunk <see cref="Chunks"/>: the end).</summary>
    public readonly int FirstStep(int chunk, int k) => (int)((long)k * chunk / Chunks);

    /// <summary>The columns of C rounded up to whole panels.</summary>
    public readonly nint PaddedColumns => (nint)Panels * _panelWidth;

    private void SplitSums(int k) =>
        Chunks = Math.Clamp(WantedTasks / (RowBlocks * ColumnBlocks), 1, Math.Max(1, k / ShortestChunk));

    private void SplitBlocks(int blockRows, int blockColumns)
    {
        while (Tasks < WantedTasks && (RowBlocks < Tiles || ColumnBlocks < Panels))
        {
            if (ColumnBlocks == Panels || (RowBlocks < Tiles && blockRows >= blockColumns))
            {
                RowBlocks = Math.Min(Tiles, 2 * RowBlocks);
                blockRows /= 2;
            }
            else
            {
                ColumnBlocks = Math.Min(Panels, 2 * ColumnBlocks);
                blockColumns /= 2;
            }
        }
    }

    private static int Pieces(int length, int piece) => (int)(((long)length + piece - 1) / piece);
}
