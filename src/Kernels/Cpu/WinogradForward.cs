using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// A convolution of 3x3 taps per frame by Winograd's method. Tiles are done in blocks: first
/// their inputs are transformed, then each panel of output channels gets its matrix products, whose results stay in the
/// cache until they are transformed back. Kernels of several frames add up their products before that: the rows of a product
/// are tiles frame by frame, so that the neighbouring frames are the same rows, moved by a frame.
/// </summary>
internal static unsafe class WinogradForward
{
    /// <summary>
    /// Shorter than elsewhere, for the transform back multiplies the rounding errors: longer sums save no time, and shorter ones
    /// take 2 % more and err by 10 % less.
    /// </summary>
    private const int LongestSum = 64;

    /// <summary>Floats between planes of sums that keep them from falling onto the same lines of the first cache.</summary>
    private const int PlaneGap = 48;

    /// <summary>y = epilogue(x * weights) for a <see cref="ConvolutionShape.Flat"/> shape; the inputs are a multiple of 16.</summary>
    public static void Run(ConvolutionShape shape, float* x, in WinogradWeights weights, float* y, in Epilogue epilogue)
    {
        if (shape.Pixels == 0) return;
        WinogradStretch stretch = new(new WinogradPlan(shape, weights.Scheme), shape.Inputs, SimdLoop.Pieces(shape.Outputs, Winograd.PanelWidth), weights.Rounded);
        long bytes = stretch.Bytes;
        nint transformed = HostAllocator.Allocate(bytes);
        try
        {
            stretch.Data = (float*)transformed;
            while (stretch.Next())
            {
                SimdLoop.For(stretch.Blocks * stretch.MostInputTiles, new WinogradInput { X = x, Stretch = stretch });
                PanelBody panel = new()
                {
                    Shape = shape,
                    Stretch = stretch,
                    Weights = weights,
                    Output = new GemmOutput(y, shape.Outputs, shape.Outputs, in epilogue),
                };
                SimdLoop.For(stretch.Blocks * SimdLoop.Pieces(shape.Outputs, Winograd.PanelWidth), panel);
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
        public ConvolutionShape Shape;
        public WinogradStretch Stretch;
        public WinogradWeights Weights;
        public GemmOutput Output;

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            // Neighbours share the panel, that is weights.
            (int panel, int inStretch) = Math.DivRem(index, Stretch.Blocks);
            WinogradBlock block = Stretch.Block(inStretch);
            WinogradOperand left = Stretch.Operand(inStretch, block);
            nint sumPlane = ((nint)block.Tiles * Winograd.PanelWidth) + PlaneGap;
            WinogradScheme scheme = Weights.Scheme;
            nint pixels = scheme.Outputs * scheme.Outputs * Winograd.PanelWidth;
            float* sums = (float*)Workers.Scratch(((scheme.Products * sumPlane) + pixels + Weights.ScratchFloats) * sizeof(float));
            float* tilePixels = sums + (scheme.Products * sumPlane), weights = Weights.Panel(panel, tilePixels + pixels);
            for (int product = 0; product < scheme.Products; product++)
                AddFrames<V>(block, left, product, weights + (product * Weights.PlaneFloats), sums + (product * sumPlane));
            for (int tile = 0; tile < block.Tiles; tile++)
                StoreTile<V>(block, sums + (tile * Winograd.PanelWidth), sumPlane, tilePixels, tile, panel * Winograd.PanelWidth);
        }

        public readonly KernelWork Describe(int pieces)
        {
            double panels = pieces / Stretch.Blocks, outputs = panels * Winograd.PanelWidth, products = Weights.Scheme.Products;
            double tiles = 0, depth = (double)Shape.Kernel.Frames * Shape.Inputs, pixels = Weights.Scheme.Outputs * Weights.Scheme.Outputs;
            for (int block = 0; block < Stretch.Blocks; block++) tiles += Stretch.Block(block).Tiles;
            return new KernelWork(
                $"Winograd{(Weights.Rounded ? ".Int16" : "")} {Shape.Kernel} {Shape.Map}, {Shape.Inputs} -> {outputs}{Output.Description}",
                2 * products * tiles * depth * outputs,
                sizeof(float) * ((products * ((Shape.Inputs * tiles) + (depth * outputs))) + (pixels * tiles * outputs * Output.Passes)));
        }

        /// <summary>One of the products, summed over the frames of the kernel. The middle one, which all tiles have, is first.</summary>
        private readonly void AddFrames<V>(WinogradBlock block, WinogradOperand left, int product, float* right, float* sums)
            where V : struct, ISimd<V>
        {
            for (int i = 0; i < Shape.Kernel.Frames; i++)
            {
                int shift = Winograd.FrameTap(i, Shape.Kernel.Frames) - (Shape.Kernel.Frames / 2);
                int first = Math.Max(block.FirstFrame, -shift), last = Math.Min(block.FirstFrame + block.Frames, Shape.Map.Frames - shift);
                Rows rows = new()
                {
                    First = (first + shift - block.FirstInput) * block.Columns,
                    Count = (last - first) * block.Columns,
                    Product = product,
                    Accumulate = i > 0,
                };
                float* target = sums + ((first - block.FirstFrame) * block.Columns * Winograd.PanelWidth);
                if (Weights.Rounded) Multiply<V, RoundedRowSums<V>>(left, rows, right, target);
                else Multiply<V, FloatRowSums<V>>(left, rows, right, target);
                right += Weights.FrameFloats;
            }
        }

        /// <summary>Some rows of one of the products: [tiles, inputs] by [inputs, panel width].</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void Multiply<V, S>(WinogradOperand left, Rows tiles, float* right, float* sums)
            where V : struct, ISimd<V>
            where S : struct, IRowSums<V>
        {
            int groups = (tiles.Count + GemmTile.RowsFor<V>() - 1) / GemmTile.RowsFor<V>(), parts = Winograd.PanelWidth / GemmTile.PanelWidth<V>();
            if (groups == 0) return;
            for (int block = 0; block < left.Blocks; block++)
            {
                int steps = WinogradOperand.Floats(left.FirstChannel(block + 1) - left.FirstChannel(block), Weights.Rounded);
                int sumsPerBlock = (steps + LongestSum - 1) / LongestSum;
                float* panel = right + Weights.ScalesPerBlock, next = panel + ((nint)steps * Winograd.PanelWidth);
                WinogradJob job = new()
                {
                    A = left.Block(block) + (tiles.Product * left.Plane) + ((nint)tiles.First * steps),
                    RowScales = left.Scales(tiles.Product, block) + tiles.First,
                    ARowStride = steps,
                    AStepStride = 1,
                    Sums = sumsPerBlock,
                    Steps = steps / sumsPerBlock,
                    C = sums,
                    Accumulate = tiles.Accumulate || block > 0,
                };
                job.Second = new() { Position = next, Stride = (Winograd.PanelWidth + (groups * parts) - 1) / (groups * parts) };
                for (int group = 0; group < groups; group++)
                {
                    int rows = GemmPack.TileRow(group + 1, groups, tiles.Count) - GemmPack.TileRow(group, groups, tiles.Count);
                    job.First = new() { Position = job.A + ((nint)rows * steps), Stride = (rows + parts - 1) / parts };
                    for (int column = 0; column < Winograd.PanelWidth; column += GemmTile.PanelWidth<V>())
                    {
                        job.B = panel + column;
                        job.ColumnScales = right + column;
                        WinogradTile.Run<V, S>(rows, in job);
                        job.C += GemmTile.PanelWidth<V>();
                        job.First.Position += job.First.Stride * steps;
                        job.Second.Position += job.Second.Stride * steps;
                    }
                    job.A += (nint)rows * steps;
                    job.RowScales += rows;
                    job.C += (rows - 1) * Winograd.PanelWidth;
                }
                right = next;
            }
        }

        /// <summary>Transforms the sums of a tile back and stores those of its pixels that the frame has.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void StoreTile<V>(WinogradBlock block, float* sums, nint sumPlane, float* pixels, int tile, int column)
            where V : struct, ISimd<V>
        {
            if (tile + 1 < block.Tiles) Prefetch(block, tile + 1, column);
            for (int part = 0; part < Winograd.PanelWidth; part += V.Width) Transform<V>(sums + part, sumPlane, pixels + part);
            (nint pixel, int rows, int columns) = Locate(block, tile);
            for (int i = 0; i < rows; i++, pixel += Shape.Map.Width, pixels += Weights.Scheme.Outputs * Winograd.PanelWidth)
                Output.Finish<V>(pixels, Winograd.PanelWidth, pixel, columns, column, Winograd.PanelWidth);
        }

        /// <summary>Calls for the places of the next tile's pixels, which takes half of the time off the way back.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly void Prefetch(WinogradBlock block, int tile, int column)
        {
            (nint pixel, int rows, int columns) = Locate(block, tile);
            for (int i = 0; i < rows; i++, pixel += Shape.Map.Width) Output.Prefetch(pixel, columns, column, Winograd.PanelWidth);
        }

        /// <summary>The first pixel of a tile and how many rows and columns of pixels it has in the frame.</summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly (nint Pixel, int Rows, int Columns) Locate(WinogradBlock block, int tile)
        {
            (int inBlock, int column) = Math.DivRem(tile, block.Columns);
            (int frame, int y, int x) = Stretch.Plan.Locate(block.FirstColumn + column);
            nint row = ((nint)(frame + block.FirstFrame + inBlock) * Shape.Map.Height) + y;
            return ((row * Shape.Map.Width) + x, Math.Min(Weights.Scheme.Outputs, Shape.Map.Height - y), Math.Min(Weights.Scheme.Outputs, Shape.Map.Width - x));
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly void Transform<V>(float* sums, nint plane, float* pixels)
            where V : struct, ISimd<V>
        {
            if (Weights.Scheme.IsSix) Transform<V, Winograd6>(sums, plane, pixels);
            else Transform<V, Winograd5>(sums, plane, pixels);
        }

        [SkipLocalsInit]
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Transform<V, T>(float* sums, nint plane, float* pixels)
            where V : struct, ISimd<V>
            where T : struct, IWinograd
        {
            int m = T.Outputs, n = m + 2;
            float* half = stackalloc float[n * m * V.Width];
            for (int i = 0; i < n; i++)
                T.TransformSums<V>(sums + (i * n * plane), plane, half + (i * m * V.Width), V.Width);
            for (int j = 0; j < m; j++)
                T.TransformSums<V>(half + (j * V.Width), m * V.Width, pixels + (j * Winograd.PanelWidth), m * Winograd.PanelWidth);
        }
    }

    /// <summary>Some rows of a product's left operand.</summary>
    private struct Rows
    {
        public int First;
        public int Count;

        /// <summary>Which of the products.</summary>
        public int Product;

        /// <summary>Whether the sums hold something to be added to.</summary>
        public bool Accumulate;
    }
}
