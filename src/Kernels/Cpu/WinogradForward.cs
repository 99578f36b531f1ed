using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The 3x3 convolution with transformed weights (<see cref="WinogradWeights"/>). Tiles of the pictures are done in blocks: first
/// their inputs are transformed, then each panel of output channels gets its 49 matrix products, whose results stay in the
/// cache until they are transformed back.
/// </summary>
internal static unsafe class WinogradForward
{
    /// <summary>
    /// The transformed inputs (9 MB for 640 channels) stay in the third cache, a panel's products (0.45 MB) in the second.
    /// From 48 to 96 tiles the time is the same within 2 %; more overflow small caches, fewer read the weights too often.
    /// </summary>
    private const int TilesPerBlock = 72;

    /// <summary>Channels whose weights of one panel stay in the first cache while all tiles use them.</summary>
    private const int LongestBlock = 128;

    /// <summary>
    /// Shorter than elsewhere, for the transform back multiplies the rounding errors: longer sums save no time, and shorter ones
    /// take 2 % more and err by 10 % less.
    /// </summary>
    private const int LongestSum = 64;

    /// <summary>Floats between planes of sums that keep them from falling onto the same lines of the first cache.</summary>
    private const int PlaneGap = 48;

    /// <summary>y = epilogue(x * weights); <paramref name="inputs"/> is a multiple of 16.</summary>
    public static void Run(
        float* x, int batch, int height, int width, int inputs, float* weights, int outputs, float* y, in Epilogue epilogue)
    {
        if (batch == 0 || height == 0 || width == 0) return;
        WinogradGrid grid = new(height, width);
        nint tiles = (nint)batch * grid.TilesPerPicture;
        int blocks = SimdLoop.Pieces(tiles, TilesPerBlock);
        long bytes = new WinogradOperand(SimdLoop.Pieces(tiles, blocks), inputs, LongestBlock).Bytes;
        nint transformed = HostAllocator.Allocate(bytes);
        try
        {
            for (int block = 0; block < blocks; block++)
            {
                nint first = tiles * block / blocks;
                int count = (int)((tiles * (block + 1) / blocks) - first);
                WinogradOperand left = new(count, inputs, LongestBlock) { Data = (float*)transformed };
                SimdLoop.For(count, new WinogradInput { X = x, Grid = grid, FirstTile = first, Transformed = left });
                PanelBody panel = new()
                {
                    Grid = grid,
                    FirstTile = first,
                    Left = left,
                    Weights = weights,
                    Output = new GemmOutput(y, outputs, outputs, in epilogue),
                };
                SimdLoop.For(SimdLoop.Pieces(outputs, Winograd.PanelWidth), panel);
            }
        }
        finally
        {
            HostAllocator.Release(transformed, bytes);
        }
    }

    /// <summary>One panel of output channels for one block of tiles.</summary>
    private struct PanelBody : ISimdLoopBody
    {
        public WinogradGrid Grid;
        public nint FirstTile;
        public WinogradOperand Left;
        public float* Weights;
        public GemmOutput Output;

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            nint sumPlane = ((nint)Left.Tiles * Winograd.PanelWidth) + PlaneGap, weightPlane = (nint)Left.Channels * Winograd.PanelWidth;
            nint pixels = Winograd.Outputs * Winograd.Outputs * Winograd.PanelWidth;
            float* sums = (float*)Workers.Scratch(((Winograd.Products * sumPlane) + pixels) * sizeof(float));
            float* weights = Weights + (index * Winograd.Products * weightPlane);
            for (int product = 0; product < Winograd.Products; product++)
                Multiply<V>(product * Left.Plane, weights + (product * weightPlane), sums + (product * sumPlane));
            float* tilePixels = sums + (Winograd.Products * sumPlane);
            for (int tile = 0; tile < Left.Tiles; tile++)
                StoreTile<V>(sums + (tile * Winograd.PanelWidth), sumPlane, tilePixels, tile, index * Winograd.PanelWidth);
        }

        public readonly KernelWork Describe(int pieces)
        {
            double outputs = pieces * Winograd.PanelWidth, products = Winograd.Products, pixels = Winograd.Outputs * Winograd.Outputs;
            return new KernelWork(
                $"Winograd {Grid.Height} x {Grid.Width}, {Left.Channels} -> {outputs}{Output.Description}",
                2 * products * Left.Tiles * Left.Channels * outputs,
                sizeof(float) * ((products * Left.Channels * (Left.Tiles + outputs)) + (pixels * Left.Tiles * outputs * Output.Passes)));
        }

        /// <summary>One of the 49 products: [tiles, inputs] by [inputs, panel width].</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void Multiply<V>(nint plane, float* right, float* sums)
            where V : struct, ISimd<V>
        {
            int groups = (Left.Tiles + GemmTile.RowsFor<V>() - 1) / GemmTile.RowsFor<V>(), parts = Winograd.PanelWidth / GemmTile.PanelWidth<V>();
            for (int block = 0; block < Left.Blocks; block++)
            {
                int channels = Left.FirstChannel(block + 1) - Left.FirstChannel(block), sumsPerBlock = (channels + LongestSum - 1) / LongestSum;
                WinogradJob job = new()
                {
                    A = Left.Block(block) + plane,
                    ARowStride = channels,
                    AStepStride = 1,
                    Sums = sumsPerBlock,
                    Steps = channels / sumsPerBlock,
                    C = sums,
                    Accumulate = block > 0,
                };
                float* next = right + ((nint)channels * Winograd.PanelWidth);
                job.Second = new() { Position = next, Stride = (Winograd.PanelWidth + (groups * parts) - 1) / (groups * parts) };
                for (int group = 0; group < groups; group++)
                {
                    int rows = GemmPack.TileRow(group + 1, groups, Left.Tiles) - GemmPack.TileRow(group, groups, Left.Tiles);
                    job.First = new() { Position = job.A + ((nint)rows * channels), Stride = (rows + parts - 1) / parts };
                    for (int column = 0; column < Winograd.PanelWidth; column += GemmTile.PanelWidth<V>())
                    {
                        job.B = right + column;
                        WinogradTile.Run<V>(rows, in job);
                        job.C += GemmTile.PanelWidth<V>();
                        job.First.Position += job.First.Stride * channels;
                        job.Second.Position += job.Second.Stride * channels;
                    }
                    job.A += (nint)rows * channels;
                    job.C += (rows - 1) * Winograd.PanelWidth;
                }
                right = next;
            }
        }

        /// <summary>Transforms the sums of a tile back and stores those of its pixels that the picture has.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void StoreTile<V>(float* sums, nint sumPlane, float* pixels, int tile, int column)
            where V : struct, ISimd<V>
        {
            if (tile + 1 < Left.Tiles) Prefetch(tile + 1, column);
            for (int part = 0; part < Winograd.PanelWidth; part += V.Width) Transform<V>(sums + part, sumPlane, pixels + part);
            (nint pixel, int rows, int columns) = Locate(tile);
            for (int i = 0; i < rows; i++, pixel += Grid.Width, pixels += Winograd.Outputs * Winograd.PanelWidth)
                Output.Finish<V>(pixels, Winograd.PanelWidth, pixel, columns, column, Winograd.PanelWidth);
        }

        /// <summary>Calls for the places of the next tile's pixels, which takes half of the time off the way back.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly void Prefetch(int tile, int column)
        {
            (nint pixel, int rows, int columns) = Locate(tile);
            for (int i = 0; i < rows; i++, pixel += Grid.Width) Output.Prefetch(pixel, columns, column, Winograd.PanelWidth);
        }

        /// <summary>The first pixel of a tile and how many rows and columns of pixels it has in the picture.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly (nint Pixel, int Rows, int Columns) Locate(int tile)
        {
            (nint picture, int y, int x) = Grid.Locate(FirstTile + tile);
            nint pixel = (((picture * Grid.Height) + y) * Grid.Width) + x;
            return (pixel, Math.Min(Winograd.Outputs, Grid.Height - y), Math.Min(Winograd.Outputs, Grid.Width - x));
        }

        [SkipLocalsInit]
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Transform<V>(float* sums, nint plane, float* pixels)
            where V : struct, ISimd<V>
        {
            const int N = Winograd.Inputs, M = Winograd.Outputs;
            float* half = stackalloc float[N * M * V.Width];
            for (int i = 0; i < N; i++)
                Winograd.TransformSums<V>(sums + (i * N * plane), plane, half + (i * M * V.Width), V.Width);
            for (int j = 0; j < M; j++)
                Winograd.TransformSums<V>(half + (j * V.Width), M * V.Width, pixels + (j * Winograd.PanelWidth), M * Winograd.PanelWidth);
        }
    }
}
