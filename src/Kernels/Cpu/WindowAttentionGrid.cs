using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Which tokens make up each window of a map, and which region each belongs to. Padding, cyclic shift and partition (Liu et
/// al. 2021, "Swin Transformer"; 2022, "Video Swin Transformer") are nothing but this table; the numeric kernels know no
/// other geometry.
/// </summary>
internal readonly unsafe struct WindowAttentionGrid : IDisposable
{
    /// <summary>Rows of <see cref="Regions"/> are padded to this many floats, the widest vector.</summary>
    private const int RegionAlignment = 16;

    private readonly nint _block;
    private readonly long _bytes;
    private readonly int _regionStride;
    private readonly int* _tokens;
    private readonly bool* _mixed;
    private readonly float* _regions;

    /// <summary>The windows of a map that is padded behind to whole windows and rolled by −shift along each axis.</summary>
    public WindowAttentionGrid(Volume map, Volume window, Volume shift)
    {
        Volume across = new(
            Cover(map.Frames, window.Frames), Cover(map.Height, window.Height), Cover(map.Width, window.Width));
        Windows = across.Count;
        Size = window.Count;
        _regionStride = (Size + RegionAlignment - 1) / RegionAlignment * RegionAlignment;
        long regions = (long)Windows * _regionStride * sizeof(float), tokens = (long)Windows * Size * sizeof(int);
        _bytes = regions + tokens + Windows;
        _block = HostAllocator.Allocate(_bytes);
        _regions = (float*)_block;
        _tokens = (int*)(_block + (nint)regions);
        _mixed = (bool*)(_block + (nint)(regions + tokens));
        for (int i = 0; i < Windows; i++)
        {
            Volume start = new(
                i / across.Plane * window.Frames, i / across.Width % across.Height * window.Height, i % across.Width * window.Width);
            Fill(i, start, new Axis(map.Frames, window.Frames, shift.Frames), new Axis(map.Height, window.Height, shift.Height),
                new Axis(map.Width, window.Width, shift.Width));
        }
    }

    /// <summary>The number of windows of one map.</summary>
    public int Windows { get; }

    /// <summary>The number of tokens of a window, N.</summary>
    public int Size { get; }

    /// <summary>The tokens of a window [N]: positions in the map, or −1 for padding.</summary>
    public int* Tokens(int window) => _tokens + (nint)window * Size;

    /// <summary>The region numbers of a window's tokens [N, then zeros up to a multiple of 16], or null if they are all equal.</summary>
    public float* Regions(int window) => _mixed[window] ? _regions + (nint)window * _regionStride : null;

    /// <inheritdoc/>
    public void Dispose() => HostAllocator.Release(_block, _bytes);

    private static int Cover(int extent, int window) => (extent + window - 1) / window;

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void Fill(int index, Volume start, Axis frames, Axis rows, Axis columns)
    {
        int* tokens = Tokens(index);
        float* regions = _regions + (nint)index * _regionStride;
        int i = 0;
        bool mixed = false;
        for (int t = start.Frames; t < start.Frames + frames.Window; t++)
        {
            int frame = frames.Source(t), frameRegion = frames.Region(t);
            for (int y = start.Height; y < start.Height + rows.Window; y++)
            {
                int row = frame < 0 || rows.Source(y) < 0 ? -1 : frame * rows.Extent + rows.Source(y);
                int rowRegion = 3 * (3 * frameRegion + rows.Region(y));
                for (int x = start.Width; x < start.Width + columns.Window; x++, i++)
                {
                    int column = columns.Source(x);
                    tokens[i] = row < 0 || column < 0 ? -1 : row * columns.Extent + column;
                    regions[i] = rowRegion + columns.Region(x);
                    mixed |= regions[i] != regions[0];
                }
            }
        }
        new Span<float>(regions + Size, _regionStride - Size).Clear();
        _mixed[index] = mixed;
    }

    /// <summary>One axis of the map, padded to whole windows and rolled.</summary>
    private readonly struct Axis(int extent, int window, int shift)
    {
        private readonly int _padded = Cover(extent, window) * window;

        public int Extent => extent;

        public int Window => window;

        /// <summary>The position in the map that the roll has brought to <paramref name="position"/>; −1: padding.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public int Source(int position)
        {
            int source = position + shift;
            if (source >= _padded) source -= _padded;
            return source < extent ? source : -1;
        }

        /// <summary>
        /// The last window holds tokens from both ends of the map, which the shift has brought together; regions 1 and 2 keep
        /// them apart.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public int Region(int position)
        {
            if (shift == 0 || position < _padded - window) return 0;
            return position < _padded - shift ? 1 : 2;
        }
    }
}
