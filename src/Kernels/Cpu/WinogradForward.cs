using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The 3x3 convolution with transformed weights (<see cref="WinogradWeights"/>). Tiles of the pictures are done in blocks: first
/// their inputs are transformed, then each panel of output channels gets its 36 matrix products, whose results stay in the
/// cache until they are transformed back.
/// </summary>
internal static unsafe class WinogradForward
{
    /// <summary>So many tiles that the 36 products of a panel of 32 channels fit the second cache (0.6 MB).</summary>
    private const int TilesPerBlock = 132;

    /// <summary>
    /// Shorter than elsewhere, for the transform back multiplies the rounding errors: 512 gives up to 2e-6 instead of 1e-6 and
    /// saves 2 % of the time.
    /// </summary>
    private const int LongestSum = 128;

    /// <summary>Floats between planes that keep them from falling onto the same lines of the first cache.</summary>
    private const int PlaneGap = 48;

    /// <summary>y = epilogue(x * weights); <paramref name="inputs"/> is a multiple of 16.</summary>
    public static void Run(
        float* x, int batch, int height, int width, int inputs, float* weights, int outputs, float* y, in Epilogue epilogue)
    {
        if (batch == 0 || height == 0 || width == 0) return;
        Grid grid = new(height, width);
        nint tiles = (nint)batch * grid.TilesPerPicture;
        int blocks = SimdLoop.Pieces(tiles, TilesPerBlock), panelWidth = CpuInfo.VectorBits / 16;
        nint plane = ((nint)SimdLoop.Pieces(tiles, blocks) * inputs) + PlaneGap;
        long bytes = Winograd.Products * plane * sizeof(float);
        nint transformed = HostAllocator.Allocate(bytes);
        try
        {
            for (int block = 0; block < blocks; block++)
            {
                nint first = tiles * block / blocks;
                int count = (int)((tiles * (block + 1) / blocks) - first);
                InputBody input = new() { X = x, Grid = grid, Channels = inputs, FirstTile = first, Transformed = (float*)transformed, Plane = plane };
                SimdLoop.For(count, input);
                PanelBody panel = new()
                {
                    Grid = grid,
                    FirstTile = first,
                    Tiles = count,
                    Inputs = inputs,
                    Transformed = (float*)transformed,
                    Plane = plane,
                    Weights = weights,
                    Output = new GemmOutput(y, outputs, outputs, in epilogue),
                };
                SimdLoop.For(SimdLoop.Pieces(outputs, panelWidth), panel);
            }
        }
        finally
        {
            HostAllocator.Release(transformed, bytes);
        }
    }

    /// <summary>How tiles cover a picture; those at the right and at the bottom may reach beyond it.</summary>
    private readonly struct Grid(int height, int width)
    {
        private readonly int _columns = (width + Winograd.Outputs - 1) / Winograd.Outputs;

        public int Height => height;

        public int Width => width;

        public int TilesPerPicture => (height + Winograd.Outputs - 1) / Winograd.Outputs * _columns;

        /// <summary>The picture of a tile and its first output pixel.</summary>
        public (nint Picture, int Y, int X) Locate(nint tile)
        {
            int rest = (int)(tile % TilesPerPicture);
            return (tile / TilesPerPicture, rest / _columns * Winograd.Outputs, rest % _columns * Winograd.Outputs);
        }
    }

    /// <summary>Transforms the input of one tile: one row of each of the 36 left operands.</summary>
    private struct InputBody : ISimdLoopBody
    {
        public float* X;
        public Grid Grid;
        public int Channels;
        public nint FirstTile;

        /// <summary>[36, tiles, channels].</summary>
        public float* Transformed;

        public nint Plane;

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            (nint picture, int y, int x) = Grid.Locate(FirstTile + index);
            float* source = X + (((((picture * Grid.Height) + y - 1) * Grid.Width) + x - 1) * Channels);
            nint rowStride = (nint)Grid.Width * Channels;
            if (y == 0 || x == 0 || y + Winograd.Inputs - 1 > Grid.Height || x + Winograd.Inputs - 1 > Grid.Width)
            {
                source = CopyWithBorder(picture, y - 1, x - 1);
                rowStride = Winograd.Inputs * Channels;
            }
            Transform<V>(source, rowStride, Channels, Transformed + ((nint)index * Channels), Plane);
        }

        public readonly KernelWork Describe(int pieces) => new(
            $"Winograd.Input {Grid.Height} x {Grid.Width} x {Channels}",
            Bytes: sizeof(float) * (double)pieces * Channels * ((Winograd.Outputs * Winograd.Outputs) + Winograd.Products));

        /// <summary>A tile that reaches beyond the picture, with zeros there.</summary>
        private readonly float* CopyWithBorder(nint picture, int y, int x)
        {
            float* tile = (float*)Workers.Scratch((long)Winograd.Products * Channels * sizeof(float)), pixel = tile;
            for (int i = y; i < y + Winograd.Inputs; i++)
            {
                for (int j = x; j < x + Winograd.Inputs; j++, pixel += Channels)
                {
                    Span<float> target = new(pixel, Channels);
                    bool inside = i >= 0 && i < Grid.Height && j >= 0 && j < Grid.Width;
                    if (inside) new Span<float>(X + (((((picture * Grid.Height) + i) * Grid.Width) + j) * Channels), Channels).CopyTo(target);
                    else target.Clear();
                }
            }
            return tile;
        }

        [SkipLocalsInit]
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Transform<V>(float* source, nint rowStride, nint channels, float* target, nint plane)
            where V : struct, ISimd<V>
        {
            const int N = Winograd.Inputs;
            float* half = stackalloc float[Winograd.Products * V.Width];
            for (nint c = 0; c < channels; c += V.Width)
            {
                for (int i = 0; i < N; i++)
                    TransformLine<V>(source + (i * rowStride) + c, channels, half + (i * N * V.Width), V.Width);
                for (int j = 0; j < N; j++)
                    TransformLine<V>(half + (j * V.Width), N * V.Width, target + (j * plane) + c, N * plane);
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void TransformLine<V>(float* source, nint step, float* target, nint targetStep)
            where V : struct, ISimd<V>
        {
            V d0 = V.Load(source), d1 = V.Load(source + step), d2 = V.Load(source + (2 * step));
            V d3 = V.Load(source + (3 * step)), d4 = V.Load(source + (4 * step)), d5 = V.Load(source + (5 * step));
            Winograd.TransformInput(ref d0, ref d1, ref d2, ref d3, ref d4, ref d5);
            V.Store(d0, target);
            V.Store(d1, target + targetStep);
            V.Store(d2, target + (2 * targetStep));
            V.Store(d3, target + (3 * targetStep));
            V.Store(d4, target + (4 * targetStep));
            V.Store(d5, target + (5 * targetStep));
        }
    }

    /// <summary>One panel of output channels for one block of tiles.</summary>
    private struct PanelBody : ISimdLoopBody
    {
        public Grid Grid;
        public nint FirstTile;
        public int Tiles;
        public int Inputs;
        public float* Transformed;
        public nint Plane;
        public float* Weights;
        public GemmOutput Output;

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            int panelWidth = GemmTile.PanelWidth<V>();
            nint sumPlane = ((nint)Tiles * panelWidth) + PlaneGap;
            nint pixels = Winograd.Outputs * Winograd.Outputs * panelWidth;
            float* sums = (float*)Workers.Scratch(((Winograd.Products * sumPlane) + pixels) * sizeof(float));
            float* weights = Weights + ((nint)index * Winograd.Products * Inputs * panelWidth);
            for (int product = 0; product < Winograd.Products; product++)
                Multiply<V>(Transformed + (product * Plane), weights + ((nint)product * Inputs * panelWidth), sums + (product * sumPlane));
            for (int tile = 0; tile < Tiles; tile++)
                StoreTile<V>(sums + (tile * panelWidth), sumPlane, sums + (Winograd.Products * sumPlane), FirstTile + tile, index * panelWidth);
        }

        public readonly KernelWork Describe(int pieces)
        {
            double outputs = pieces * (CpuInfo.VectorBits / 16), products = Winograd.Products, pixels = Winograd.Outputs * Winograd.Outputs;
            return new KernelWork(
                $"Winograd {Grid.Height} x {Grid.Width}, {Inputs} -> {outputs}{Output.Description}",
                2 * products * Tiles * Inputs * outputs,
                sizeof(float) * ((products * Inputs * (Tiles + outputs)) + (pixels * Tiles * outputs * Output.Passes)));
        }

        /// <summary>One of the 36 products: [tiles, inputs] by [inputs, panel width].</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void Multiply<V>(float* left, float* right, float* sums)
            where V : struct, ISimd<V>
        {
            int panelWidth = GemmTile.PanelWidth<V>();
            TileJob job = new()
            {
                ARowStride = Inputs,
                AStepStride = 1,
                BStepStride = panelWidth,
                Taps = 1,
                CRowStride = panelWidth,
                AddendRowStride = panelWidth,
            };
            int blocks = (Inputs + LongestSum - 1) / LongestSum, groups = (Tiles + GemmTile.RowsFor<V>() - 1) / GemmTile.RowsFor<V>();
            for (int block = 0; block < blocks; block++)
            {
                int step = GemmPack.TileRow(block, blocks, Inputs);
                job.Steps = GemmPack.TileRow(block + 1, blocks, Inputs) - step;
                job.B = right + ((nint)step * panelWidth);
                for (int group = 0; group < groups; group++)
                {
                    int row = GemmPack.TileRow(group, groups, Tiles);
                    job.A = left + ((nint)row * Inputs) + step;
                    job.C = sums + ((nint)row * panelWidth);
                    job.Addend = block == 0 ? null : job.C;
                    GemmTile.Run<V>(GemmPack.TileRow(group + 1, groups, Tiles) - row, in job);
                }
            }
        }

        /// <summary>Transforms the sums of a tile back and stores those of its pixels that the picture has.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void StoreTile<V>(float* sums, nint sumPlane, float* pixels, nint tile, int column)
            where V : struct, ISimd<V>
        {
            int panelWidth = GemmTile.PanelWidth<V>();
            for (int half = 0; half < panelWidth; half += V.Width) Transform<V>(sums + half, sumPlane, pixels + half, panelWidth);
            (nint picture, int y, int x) = Grid.Locate(tile);
            int rows = Math.Min(Winograd.Outputs, Grid.Height - y), columns = Math.Min(Winograd.Outputs, Grid.Width - x);
            for (int i = 0; i < rows; i++)
            {
                nint pixel = (((picture * Grid.Height) + y + i) * Grid.Width) + x;
                Output.Finish<V>(pixels + (i * Winograd.Outputs * panelWidth), panelWidth, pixel, columns, column, panelWidth);
            }
        }

        [SkipLocalsInit]
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Transform<V>(float* sums, nint plane, float* pixels, nint pixelStride)
            where V : struct, ISimd<V>
        {
            const int N = Winograd.Inputs, M = Winograd.Outputs;
            float* half = stackalloc float[N * M * V.Width];
            for (int i = 0; i < N; i++) TransformLine<V>(sums + (i * N * plane), plane, half + (i * M * V.Width), V.Width);
            for (int j = 0; j < M; j++) TransformLine<V>(half + (j * V.Width), M * V.Width, pixels + (j * pixelStride), M * pixelStride);
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private static void TransformLine<V>(float* source, nint step, float* target, nint targetStep)
            where V : struct, ISimd<V>
        {
            V m0 = V.Load(source), m1 = V.Load(source + step), m2 = V.Load(source + (2 * step)), m3 = V.Load(source + (3 * step));
            Winograd.TransformSums(ref m0, ref m1, ref m2, ref m3, V.Load(source + (4 * step)), V.Load(source + (5 * step)));
            V.Store(m0, target);
            V.Store(m1, target + targetStep);
            V.Store(m2, target + (2 * targetStep));
            V.Store(m3, target + (3 * targetStep));
        }
    }
}
