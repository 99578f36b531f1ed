using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Which tokens make up each window of a picture, which region each belongs to, and which row of the bias table each pair
/// of tokens reads. Padding, cyclic shift and partition (Liu et al. 2021, "Swin Transformer") are nothing but this table;
/// the numeric kernels know no other geometry. A window consists of layers of tokens along its first axis (of a picture: its
/// rows), because moving both tokens of a pair along that axis leaves their bias as it is.
/// </summary>
internal readonly unsafe struct WindowAttentionGrid : IDisposable
{
    /// <summary>Rows of <see cref="Regions"/> are padded to this many floats, the widest vector.</summary>
    private const int RegionAlignment = 16;

    private readonly nint _block;
    private readonly long _bytes;
    private readonly int _regionStride;
    private readonly int* _tokens;
    private readonly int* _biasRows;
    private readonly bool* _mixed;
    private readonly float* _regions;

    private WindowAttentionGrid(int windows, int layers, int layerSize, int runLength, int tableRows)
    {
        int size = layers * layerSize;
        Windows = windows;
        Size = size;
        Layers = layers;
        LayerSize = layerSize;
        RunLength = runLength;
        TableRows = tableRows;
        _regionStride = (size + RegionAlignment - 1) / RegionAlignment * RegionAlignment;
        long regions = (long)windows * _regionStride * sizeof(float), tokens = (long)windows * size * sizeof(int);
        long biasRows = (long)layerSize * Runs * sizeof(int);
        _bytes = regions + tokens + biasRows + windows;
        _block = HostAllocator.Allocate(_bytes);
        _regions = (float*)_block;
        _tokens = (int*)(_block + (nint)regions);
        _biasRows = (int*)(_block + (nint)(regions + tokens));
        _mixed = (bool*)(_block + (nint)(regions + tokens + biasRows));
    }

    /// <summary>The number of windows of one picture.</summary>
    public int Windows { get; }

    /// <summary>The number of tokens of a window, N.</summary>
    public int Size { get; }

    /// <summary>The number of layers of a window.</summary>
    public int Layers { get; }

    /// <summary>The number of tokens of a layer.</summary>
    public int LayerSize { get; }

    /// <summary>Within a run of this many keys, the row of the bias table goes down by one from key to key.</summary>
    public int RunLength { get; }

    /// <summary>The number of rows of the bias table.</summary>
    public int TableRows { get; }

    /// <summary>The number of runs of keys in a layer.</summary>
    public int Runs => LayerSize / RunLength;

    /// <summary>The rows of the bias table between one layer and the next.</summary>
    public int TableLayer => TableRows / (2 * Layers - 1);

    /// <summary>The tokens of a window [N]: positions in the picture, or −1 for padding.</summary>
    public int* Tokens(int window) => _tokens + (nint)window * Size;

    /// <summary>The region numbers of a window's tokens [N, then zeros up to a multiple of 16], or null if they are all equal.</summary>
    public float* Regions(int window) => _mixed[window] ? _regions + (nint)window * _regionStride : null;

    /// <summary>
    /// For a query of a window's last layer, the row of the bias table that the first key of each run of the first layer
    /// reads, counted from the last <see cref="TableLayer"/> rows. Any other pair of layers is whole layers of the table off.
    /// </summary>
    public int* BiasRows(int query) => _biasRows + (nint)query * Runs;

    /// <summary>
    /// The windows of a [height, width] map that is padded at the right and at the bottom to whole windows and rolled by
    /// −shift along both axes.
    /// </summary>
    public static WindowAttentionGrid Plane(int height, int width, int window, int shift)
    {
        int down = (height + window - 1) / window, across = (width + window - 1) / window;
        WindowAttentionGrid grid = new(down * across, window, window, window, (2 * window - 1) * (2 * window - 1));
        for (int i = 0; i < down * across; i++)
            grid.FillPlaneWindow(i, i / across * window, i % across * window, height, width, window, shift);
        for (int x = 0; x < window; x++) grid.BiasRows(x)[0] = x + window - 1;
        return grid;
    }

    /// <inheritdoc/>
    public void Dispose() => HostAllocator.Release(_block, _bytes);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void FillPlaneWindow(int index, int top, int left, int height, int width, int window, int shift)
    {
        int paddedHeight = (height + window - 1) / window * window, paddedWidth = (width + window - 1) / window * window;
        int* tokens = Tokens(index);
        float* regions = _regions + (nint)index * _regionStride;
        bool mixed = false;
        for (int i = 0; i < Size;)
        {
            int rolledY = top + i / window, y = (rolledY + shift) % paddedHeight;
            int rowRegion = 3 * Region(rolledY, paddedHeight, window, shift);
            for (int rolledX = left; rolledX < left + window; rolledX++, i++)
            {
                int x = rolledX + shift;
                if (x >= paddedWidth) x -= paddedWidth;
                tokens[i] = y < height && x < width ? y * width + x : -1;
                regions[i] = rowRegion + Region(rolledX, paddedWidth, window, shift);
                mixed |= regions[i] != regions[0];
            }
        }
        new Span<float>(regions + Size, _regionStride - Size).Clear();
        _mixed[index] = mixed;
    }

    /// <summary>
    /// Along one axis: the last window holds tokens from both ends of the picture, which the shift has brought together;
    /// regions 1 and 2 keep them apart.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Region(int position, int padded, int window, int shift)
    {
        if (shift == 0 || position < padded - window) return 0;
        return position < padded - shift ? 1 : 2;
    }
}
