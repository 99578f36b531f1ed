using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The weight gradient of a convolution: for each tap a product of dy, transposed, with the shifted map, summed over all
/// pixels. A task owns a block of output by input channels with all taps of a frame; it goes through the frames band by band
/// and packs each band once for all these taps, the frame with a border of zeros.
/// </summary>
internal static unsafe class ConvolutionWeightGradient
{
    private const int PixelsPerBand = 480;
    private const int OutputsPerTask = 120;
    private const int InputsPerTask = 64;
    private const int WantedTasks = 16;

    /// <summary>dWeight[o, c, tap] = Σ over pixels of dy[pixel, o] · x[pixel shifted by the tap, c] (+ old dWeight).</summary>
    public static void Run(ConvolutionShape shape, float* x, float* dy, float* dWeight, bool accumulate)
    {
        (int cin, int cout, int width, int taps) = (shape.Inputs, shape.Outputs, shape.Map.Width, shape.Kernel.Count);
        int panelWidth = CpuInfo.VectorBits / 16, tileRows = panelWidth == 32 ? 12 : 6;
        Body body = new()
        {
            X = x,
            Dy = dy,
            Shape = shape,
            Panels = SimdLoop.Pieces(cin, panelWidth),
            RowsPerBand = Math.Clamp(PixelsPerBand / Math.Max(1, width), 1, Math.Max(1, shape.Map.Height)),
        };
        body.InputBlocks = SimdLoop.Pieces(cin, InputsPerTask);
        body.OutputBlocks = SimdLoop.Pieces(cout, OutputsPerTask);
        int tiles = SimdLoop.Pieces(cout, tileRows);
        while (shape.Kernel.Frames * body.InputBlocks * body.OutputBlocks < WantedTasks && body.OutputBlocks < tiles)
            body.OutputBlocks = Math.Min(tiles, 2 * body.OutputBlocks);
        body.PaddedInputs = body.Panels * panelWidth;
        long bytes = (long)taps * cout * body.PaddedInputs * sizeof(float);
        nint gradient = HostAllocator.Allocate(bytes);
        try
        {
            body.Gradient = (float*)gradient;
            SimdLoop.For(shape.Kernel.Frames * body.InputBlocks * body.OutputBlocks, body);
            StoreLoop store = new((float*)gradient, body.PaddedInputs, taps, cin, cout, dWeight, accumulate);
            Workers.Current.For(cout, ref store);
        }
        finally
        {
            HostAllocator.Release(gradient, bytes);
        }
    }

    /// <summary>The taps of one frame for one block of output channels by one of input channels.</summary>
    private struct Body : ISimdLoopBody
    {
        public float* X;
        public float* Dy;
        public ConvolutionShape Shape;
        public int Panels;
        public int RowsPerBand;
        public int InputBlocks;
        public int OutputBlocks;
        public int PaddedInputs;

        /// <summary>[taps, outputs, padded inputs].</summary>
        public float* Gradient;

        private readonly int Height => Shape.Map.Height;

        private readonly int Width => Shape.Map.Width;

        private readonly int Inputs => Shape.Inputs;

        private readonly int Outputs => Shape.Outputs;

        public readonly KernelWork Describe(int pieces)
        {
            double pixels = Shape.Pixels, weights = (double)Shape.Kernel.Count * Inputs * Outputs;
            return new KernelWork(
                $"Convolution {Shape.Kernel} {Shape.Map}, {Inputs} -> {Outputs}, gradient of weights",
                2 * pixels * weights,
                sizeof(float) * ((pixels * (Inputs + Outputs)) + weights));
        }

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            int input = index / OutputBlocks % InputBlocks, output = index % OutputBlocks, frameTap = index / OutputBlocks / InputBlocks;
            int firstPanel = (int)((long)Panels * input / InputBlocks), lastPanel = (int)((long)Panels * (input + 1) / InputBlocks);
            int firstOutput = GemmPack.TileRow(output, OutputBlocks, Outputs);
            int outputs = GemmPack.TileRow(output + 1, OutputBlocks, Outputs) - firstOutput;
            int tiles = (outputs + GemmTile.RowsFor<V>() - 1) / GemmTile.RowsFor<V>();
            int panelWidth = GemmTile.PanelWidth<V>();
            nint panelFloats = (nint)(RowsPerBand + 2) * (Width + 2) * panelWidth;
            nint tileFloats = tiles * GemmPack.TileFloats<V>((nint)RowsPerBand * Width);
            float* panels = (float*)Workers.Scratch((((lastPanel - firstPanel) * panelFloats) + tileFloats) * sizeof(float));
            float* packedDy = panels + ((lastPanel - firstPanel) * panelFloats);
            bool first = true;
            for (int frame = 0; frame < Shape.Batch * Shape.Map.Frames; frame++)
            {
                int shift = frameTap - (Shape.Kernel.Frames / 2), source = (frame % Shape.Map.Frames) + shift;
                if (source < 0 || source >= Shape.Map.Frames) continue;
                for (int y = 0; y < Height; y += RowsPerBand)
                {
                    int rows = Math.Min(RowsPerBand, Height - y);
                    float* dy = Dy + (((((nint)frame * Height) + y) * Width) * Outputs) + firstOutput;
                    GemmPack.TilesOfA<V>(dy, 1, Outputs, outputs, tiles, Outputs - firstOutput, (nint)rows * Width, packedDy);
                    for (int panel = firstPanel; panel < lastPanel; panel++)
                    {
                        float* framePanel = panels + ((panel - firstPanel) * panelFloats);
                        PackFrame<V>(frame + shift, y, rows, panel * panelWidth, framePanel);
                        for (int tile = 0; tile < tiles; tile++)
                        {
                            int row = GemmPack.TileRow(tile, tiles, outputs), end = GemmPack.TileRow(tile + 1, tiles, outputs);
                            float* packed = packedDy + (tile * GemmPack.TileFloats<V>((nint)rows * Width));
                            AddBand<V>(frameTap, firstOutput + row, end - row, panel, rows, packed, framePanel, first);
                        }
                    }
                    first = false;
                }
            }
            if (first) Clear(frameTap, firstOutput, outputs, firstPanel * panelWidth, (lastPanel - firstPanel) * panelWidth);
        }

        /// <summary>Packs rows y − 1 … y + rows of one panel of channels as [rows + 2, width + 2, panel width].</summary>
        private readonly void PackFrame<V>(int frame, int y, int rows, int channel, float* destination)
            where V : struct, ISimd<V>
        {
            int panelWidth = GemmTile.PanelWidth<V>();
            nint pitch = (nint)(Width + 2) * panelWidth;
            for (int i = y - 1; i <= y + rows; i++, destination += pitch)
            {
                if (i < 0 || i >= Height)
                {
                    new Span<float>(destination, (int)pitch).Clear();
                    continue;
                }
                float* source = X + ((((nint)frame * Height) + i) * Width * Inputs) + channel;
                new Span<float>(destination, panelWidth).Clear();
                GemmPack.PanelOfB<V>(source, Inputs, 1, Width, Inputs - channel, destination + panelWidth);
                new Span<float>(destination + pitch - panelWidth, panelWidth).Clear();
            }
        }

        /// <summary>Adds one band to a frame's taps of one tile.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void AddBand<V>(int frameTap, int output, int outputs, int panel, int rows, float* dyTile, float* framePanel, bool first)
            where V : struct, ISimd<V>
        {
            int panelWidth = GemmTile.PanelWidth<V>(), step = GemmPack.TileStep<V>();
            TileJob job = new()
            {
                A = dyTile,
                ARowStride = 1,
                AStepStride = step,
                ATapStride = (nint)Width * step,
                BStepStride = panelWidth,
                BTapStride = (nint)(Width + 2) * panelWidth,
                Taps = rows,
                Steps = Width,
                CRowStride = PaddedInputs,
                AddendRowStride = PaddedInputs,
            };
            // The border is packed for kernels too that do not reach it.
            int plane = Shape.Kernel.Plane, firstRow = Shape.Kernel.Height == 1 ? 1 : 0, firstColumn = Shape.Kernel.Width == 1 ? 1 : 0;
            for (int tap = 0; tap < plane; tap++)
            {
                int row = firstRow + (tap / Shape.Kernel.Width), column = firstColumn + (tap % Shape.Kernel.Width);
                job.B = framePanel + (((nint)(row * (Width + 2)) + column) * panelWidth);
                job.C = Gradient + (((((nint)frameTap * plane) + tap) * Outputs) + output) * PaddedInputs + (panel * panelWidth);
                job.Addend = first ? null : job.C;
                GemmTile.Run<V>(outputs, in job);
            }
        }

        private readonly void Clear(int frameTap, int output, int outputs, int column, int columns)
        {
            int plane = Shape.Kernel.Plane;
            for (int tap = frameTap * plane; tap < (frameTap + 1) * plane; tap++)
                for (int row = output; row < output + outputs; row++)
                    new Span<float>(Gradient + ((((nint)tap * Outputs) + row) * PaddedInputs) + column, columns).Clear();
        }
    }

    /// <summary>Brings the gradient of one output channel from [taps, padded inputs] into the weight's order.</summary>
    private readonly struct StoreLoop(float* gradient, int paddedInputs, int taps, int cin, int cout, float* dWeight, bool accumulate) : ILoopBody
    {
        public void Run(int index, int worker)
        {
            float* source = gradient + ((nint)index * paddedInputs), target = dWeight + ((nint)index * cin * taps);
            if (!accumulate)
            {
                Transpose.Run(source, (nint)cout * paddedInputs, target, taps, taps, cin);
                return;
            }
            float* sorted = (float*)Workers.Scratch((long)cin * taps * sizeof(float));
            Transpose.Run(source, (nint)cout * paddedInputs, sorted, taps, taps, cin);
            Add(sorted, target, (nint)cin * taps);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Add(float* source, float* target, nint count)
        {
            for (nint i = 0; i < count; i++) target[i] += source[i];
        }
    }
}
