using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>A convolution with packed weights (<see cref="ConvolutionWeights"/>) as an implicit matrix product.</summary>
internal static unsafe class ConvolutionDirect
{
    /// <summary>Pixels of a task: enough to make good for fetching a panel's weights, few enough to stay in the cache.</summary>
    private const int PixelsPerTask = 1024;

    /// <summary>y = epilogue(x * weights).</summary>
    public static void Run(ConvolutionShape shape, float* x, float* weights, float* y, in Epilogue epilogue)
    {
        if (shape.Pixels == 0) return;
        Body body = new()
        {
            X = x,
            Shape = shape,
            Weights = weights,
            Output = new GemmOutput(y, shape.Outputs, shape.Outputs, in epilogue),
            RowsPerTask = Math.Clamp(PixelsPerTask / shape.Map.Width, 1, shape.Map.Height),
        };
        body.LastRow = (nint)shape.Batch * shape.Map.Frames * shape.Map.Height;
        body.Bands = SimdLoop.Pieces(body.LastRow, body.RowsPerTask);
        int panelWidth = CpuInfo.VectorBits / 16;
        SimdLoop.For(checked(body.Bands * SimdLoop.Pieces(shape.Outputs, panelWidth)), body);
    }

    /// <summary>One band of picture rows by one panel of output channels.</summary>
    private struct Body : ISimdLoopBody
    {
        public float* X;
        public ConvolutionShape Shape;
        public float* Weights;
        public GemmOutput Output;
        public int RowsPerTask;
        public int Bands;
        public nint LastRow;

        private readonly int Inputs => Shape.Inputs;

        private readonly int Width => Shape.Map.Width;

        public readonly KernelWork Describe(int pieces)
        {
            double weights = (double)Shape.Kernel.Count * Inputs * Shape.Outputs;
            return new KernelWork(
                $"Convolution {Shape.Kernel} {Shape.Map}, {Inputs} -> {Shape.Outputs}{Output.Description}",
                2 * Shape.Pixels * weights,
                sizeof(float) * ((Shape.Pixels * (Inputs + ((double)Shape.Outputs * Output.Passes))) + weights));
        }

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            // Neighbours share the panel, that is weights.
            int panel = index / Bands, panelWidth = GemmTile.PanelWidth<V>();
            nint firstRow = (nint)(index % Bands) * RowsPerTask, lastRow = Math.Min(LastRow, firstRow + RowsPerTask);
            float* sums = (float*)Workers.Scratch((lastRow - firstRow) * Width * panelWidth * sizeof(float));
            int blocks = ConvolutionWeights.Blocks(Inputs);
            for (int block = 0; block < blocks; block++)
            {
                for (nint row = firstRow; row < lastRow; row++)
                    ComputeRow<V>(row, panel, block, block == blocks - 1, sums + ((row - firstRow) * Width * panelWidth));
            }
        }

        /// <summary>Adds one block of input channels to one row of the batch's frames.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void ComputeRow<V>(nint row, int panel, int block, bool last, float* sums)
            where V : struct, ISimd<V>
        {
            int panelWidth = GemmTile.PanelWidth<V>(), column = panel * panelWidth;
            int first = ConvolutionWeights.FirstChannel(block, Inputs), channels = ConvolutionWeights.FirstChannel(block + 1, Inputs) - first;
            (nint frame, nint y) = Math.DivRem(row, Shape.Map.Height);
            (int firstTap, int lastTap) = ConvolutionShape.Taps(Shape.Kernel.Height, (int)y, Shape.Map.Height);
            (int firstFrame, int lastFrame) = ConvolutionShape.Taps(Shape.Kernel.Frames, (int)(frame % Shape.Map.Frames), Shape.Map.Frames);
            nint tapFloats = (nint)channels * panelWidth, rowStride = (nint)Width * Inputs;
            TileJob job = new()
            {
                ARowStride = Inputs,
                AStepStride = 1,
                ATapStride = rowStride,
                BStepStride = panelWidth,
                BTapStride = Shape.Kernel.Width * tapFloats,
                Taps = lastTap - firstTap + 1,
                Steps = channels,
            };
            nint frameRow = row + ((firstFrame - (Shape.Kernel.Frames / 2)) * (nint)Shape.Map.Height) + firstTap - (Shape.Kernel.Height / 2);
            float* x = X + (frameRow * rowStride) + first;
            float* weights = Weights + ((((nint)panel * Inputs) + first) * Shape.Kernel.Count * panelWidth)
                + (((firstFrame * Shape.Kernel.Height) + firstTap) * job.BTapStride);
            int tiles = (Width + GemmTile.RowsFor<V>() - 1) / GemmTile.RowsFor<V>();
            for (int tile = 0; tile < tiles; tile++)
            {
                int begin = (int)((long)Width * tile / tiles), end = (int)((long)Width * (tile + 1) / tiles);
                nint pixel = (row * Width) + begin;
                Output.Place(ref job, pixel, column, panelWidth, sums + (begin * panelWidth), first == 0);
                for (int tap = 0; tap <= lastFrame - firstFrame; tap++)
                {
                    AddTaps<V>(job, x + (tap * Shape.Map.Height * rowStride), weights + (tap * Shape.Kernel.Height * job.BTapStride), tapFloats, begin, end);
                    job.Addend = job.C;
                    job.AddendRowStride = job.CRowStride;
                }
                if (last) Output.Finish<V>(in job, pixel, end - begin, column);
            }
        }

        /// <summary>
        /// Adds the columns of a frame's taps to pixels <paramref name="begin"/> … <paramref name="end"/> − 1 of a row; the middle
        /// one first, for it alone concerns every pixel: at the picture's edges the others lack one.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly void AddTaps<V>(TileJob job, float* x, float* weights, nint tapFloats, int begin, int end)
            where V : struct, ISimd<V>
        {
            job.A = x + ((nint)begin * Inputs);
            job.B = weights + (Shape.Kernel.Width / 2 * tapFloats);
            GemmTile.Run<V>(end - begin, in job);
            if (Shape.Kernel.Width == 1) return;

            job.Addend = job.C;
            job.AddendRowStride = job.CRowStride;
            int skip = begin == 0 ? 1 : 0, rows = end - begin - skip;
            if (rows > 0)
            {
                TileJob left = job;
                left.A = x + ((nint)(begin + skip - 1) * Inputs);
                left.B = weights;
                left.C = left.Addend = job.C + (skip * job.CRowStride);
                GemmTile.Run<V>(rows, in left);
            }

            rows = Math.Min(end, Width - 1) - begin;
            if (rows <= 0) return;
            job.A = x + ((nint)(begin + 1) * Inputs);
            job.B = weights + (2 * tapFloats);
            GemmTile.Run<V>(rows, in job);
        }
    }
}
