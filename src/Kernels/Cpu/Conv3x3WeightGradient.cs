using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The weight gradient of a 3x3 convolution: for each tap a product of dy, transposed, with the shifted picture, summed over
/// all pixels. A task owns a block of output by input channels with all nine taps; it goes through the pictures band by band
/// and packs each band once for all taps, the picture with a border of zeros.
/// </summary>
internal static unsafe class Conv3x3WeightGradient
{
    private const int PixelsPerBand = 480;
    private const int OutputsPerTask = 120;
    private const int InputsPerTask = 64;
    private const int WantedTasks = 16;

    /// <summary>dWeight[o, c, ky, kx] = Σ over pixels of dy[pixel, o] · x[pixel shifted by the tap, c] (+ old dWeight).</summary>
    public static void Run(
        float* x, float* dy, int batch, int height, int width, int cin, int cout, float* dWeight, bool accumulate)
    {
        int panelWidth = CpuInfo.VectorBits / 16, tileRows = panelWidth == 32 ? 12 : 6;
        Body body = new()
        {
            X = x,
            Dy = dy,
            Batch = batch,
            Height = height,
            Width = width,
            Inputs = cin,
            Outputs = cout,
            Panels = SimdLoop.Pieces(cin, panelWidth),
            RowsPerBand = Math.Clamp(PixelsPerBand / Math.Max(1, width), 1, Math.Max(1, height)),
        };
        body.InputBlocks = SimdLoop.Pieces(cin, InputsPerTask);
        body.OutputBlocks = SimdLoop.Pieces(cout, OutputsPerTask);
        int tiles = SimdLoop.Pieces(cout, tileRows);
        while (body.InputBlocks * body.OutputBlocks < WantedTasks && body.OutputBlocks < tiles)
            body.OutputBlocks = Math.Min(tiles, 2 * body.OutputBlocks);
        body.PaddedInputs = body.Panels * panelWidth;
        long bytes = 9L * cout * body.PaddedInputs * sizeof(float);
        nint taps = HostAllocator.Allocate(bytes);
        try
        {
            body.Gradient = (float*)taps;
            SimdLoop.For(body.InputBlocks * body.OutputBlocks, body);
            StoreLoop store = new((float*)taps, body.PaddedInputs, cin, cout, dWeight, accumulate);
            Workers.Current.For(cout, ref store);
        }
        finally
        {
            HostAllocator.Release(taps, bytes);
        }
    }

    /// <summary>One block of output channels by one of input channels.</summary>
    private struct Body : ISimdLoopBody
    {
        public float* X;
        public float* Dy;
        public int Batch;
        public int Height;
        public int Width;
        public int Inputs;
        public int Outputs;
        public int Panels;
        public int RowsPerBand;
        public int InputBlocks;
        public int OutputBlocks;
        public int PaddedInputs;

        /// <summary>[9, outputs, padded inputs].</summary>
        public float* Gradient;

        public readonly KernelWork Describe(int pieces)
        {
            double pixels = (double)Batch * Height * Width, weights = 9.0 * Inputs * Outputs;
            return new KernelWork(
                $"Convolution {Height} x {Width}, {Inputs} -> {Outputs}, gradient of weights",
                2 * pixels * weights,
                sizeof(float) * ((pixels * (Inputs + Outputs)) + weights));
        }

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            int input = index / OutputBlocks, output = index % OutputBlocks;
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
            for (int picture = 0; picture < Batch; picture++)
            {
                for (int y = 0; y < Height; y += RowsPerBand)
                {
                    int rows = Math.Min(RowsPerBand, Height - y);
                    float* dy = Dy + (((((nint)picture * Height) + y) * Width) * Outputs) + firstOutput;
                    GemmPack.TilesOfA<V>(dy, 1, Outputs, outputs, tiles, Outputs - firstOutput, (nint)rows * Width, packedDy);
                    for (int panel = firstPanel; panel < lastPanel; panel++)
                    {
                        float* picturePanel = panels + ((panel - firstPanel) * panelFloats);
                        PackPicture<V>(picture, y, rows, panel * panelWidth, picturePanel);
                        for (int tile = 0; tile < tiles; tile++)
                        {
                            int row = GemmPack.TileRow(tile, tiles, outputs), end = GemmPack.TileRow(tile + 1, tiles, outputs);
                            float* packed = packedDy + (tile * GemmPack.TileFloats<V>((nint)rows * Width));
                            AddBand<V>(firstOutput + row, end - row, panel, rows, packed, picturePanel, first);
                        }
                    }
                    first = false;
                }
            }
            if (first) Clear(firstOutput, outputs, firstPanel * panelWidth, (lastPanel - firstPanel) * panelWidth);
        }

        /// <summary>Packs rows y − 1 … y + rows of one panel of channels as [rows + 2, width + 2, panel width].</summary>
        private readonly void PackPicture<V>(int picture, int y, int rows, int channel, float* destination)
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
                float* source = X + ((((nint)picture * Height) + i) * Width * Inputs) + channel;
                new Span<float>(destination, panelWidth).Clear();
                GemmPack.PanelOfB<V>(source, Inputs, 1, Width, Inputs - channel, destination + panelWidth);
                new Span<float>(destination + pitch - panelWidth, panelWidth).Clear();
            }
        }

        /// <summary>Adds one band to the nine taps of one tile.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void AddBand<V>(int output, int outputs, int panel, int rows, float* dyTile, float* picturePanel, bool first)
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
            for (int tap = 0; tap < 9; tap++)
            {
                job.B = picturePanel + (((nint)(tap / 3 * (Width + 2)) + (tap % 3)) * panelWidth);
                job.C = Gradient + ((((nint)tap * Outputs) + output) * PaddedInputs) + (panel * panelWidth);
                job.Addend = first ? null : job.C;
                GemmTile.Run<V>(outputs, in job);
            }
        }

        private readonly void Clear(int output, int outputs, int column, int columns)
        {
            for (int tap = 0; tap < 9; tap++)
                for (int row = output; row < output + outputs; row++)
                    new Span<float>(Gradient + ((((nint)tap * Outputs) + row) * PaddedInputs) + column, columns).Clear();
        }
    }

    /// <summary>Brings the gradient of one output channel from [9, padded inputs] into the weight's order.</summary>
    private readonly struct StoreLoop(float* taps, int paddedInputs, int cin, int cout, float* dWeight, bool accumulate) : ILoopBody
    {
        public void Run(int index, int worker)
        {
            float* source = taps + ((nint)index * paddedInputs), target = dWeight + ((nint)index * cin * 9);
            if (!accumulate)
            {
                Transpose.Run(source, (nint)cout * paddedInputs, target, 9, 9, cin);
                return;
            }
            float* sorted = (float*)Workers.Scratch((long)cin * 9 * sizeof(float));
            Transpose.Run(source, (nint)cout * paddedInputs, sorted, 9, 9, cin);
            Add(sorted, target, (nint)cin * 9);
        }

        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private static void Add(float* source, float* target, nint count)
        {
            for (nint i = 0; i < count; i++) target[i] += source[i];
        }
    }
}
