using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>The 3x3 convolution with packed weights (<see cref="Conv3x3Weights"/>) as an implicit matrix product.</summary>
internal static unsafe class Conv3x3Direct
{
    /// <summary>Pixels of a task: enough to make good for fetching a panel's weights, few enough to stay in the cache.</summary>
    private const int PixelsPerTask = 1024;

    /// <summary>y = epilogue(x * weights).</summary>
    public static void Run(
        float* x, int batch, int height, int width, int inputs, float* weights, int outputs, float* y, in Epilogue epilogue)
    {
        if (batch == 0 || height == 0 || width == 0) return;
        Body body = new()
        {
            X = x,
            Height = height,
            Width = width,
            Inputs = inputs,
            Weights = weights,
            Output = new GemmOutput(y, outputs, outputs, in epilogue),
            RowsPerTask = Math.Clamp(PixelsPerTask / width, 1, height),
        };
        body.Bands = SimdLoop.Pieces((long)batch * height, body.RowsPerTask);
        body.LastRow = (nint)batch * height;
        int panelWidth = CpuInfo.VectorBits / 16;
        SimdLoop.For(checked(body.Bands * SimdLoop.Pieces(outputs, panelWidth)), body);
    }

    /// <summary>One band of picture rows by one panel of output channels.</summary>
    private struct Body : ISimdLoopBody
    {
        public float* X;
        public int Height;
        public int Width;
        public int Inputs;
        public float* Weights;
        public GemmOutput Output;
        public int RowsPerTask;
        public int Bands;
        public nint LastRow;

        public readonly KernelWork Describe(int pieces)
        {
            double pixels = LastRow * Width, outputs = pieces / Bands * (CpuInfo.VectorBits / 16);
            return new KernelWork(
                $"Convolution {Height} x {Width}, {Inputs} -> {outputs}{Output.Description}",
                18 * pixels * Inputs * outputs,
                sizeof(float) * ((pixels * (Inputs + (outputs * Output.Passes))) + (9.0 * Inputs * outputs)));
        }

        public readonly void Run<V>(int index, int worker)
            where V : struct, ISimd<V>
        {
            // Neighbours share the panel, that is weights.
            int panel = index / Bands, panelWidth = GemmTile.PanelWidth<V>();
            nint firstRow = (nint)(index % Bands) * RowsPerTask, lastRow = Math.Min(LastRow, firstRow + RowsPerTask);
            float* sums = (float*)Workers.Scratch((lastRow - firstRow) * Width * panelWidth * sizeof(float));
            int blocks = Conv3x3Weights.Blocks(Inputs);
            for (int block = 0; block < blocks; block++)
            {
                for (nint row = firstRow; row < lastRow; row++)
                    ComputeRow<V>(row, panel, block, block == blocks - 1, sums + ((row - firstRow) * Width * panelWidth));
            }
        }

        /// <summary>Adds one block of input channels to one row of the batch's pictures.</summary>
        [MethodImpl(MethodImplOptions.AggressiveOptimization)]
        private readonly void ComputeRow<V>(nint row, int panel, int block, bool last, float* sums)
            where V : struct, ISimd<V>
        {
            int panelWidth = GemmTile.PanelWidth<V>(), column = panel * panelWidth;
            int first = Conv3x3Weights.FirstChannel(block, Inputs), channels = Conv3x3Weights.FirstChannel(block + 1, Inputs) - first;
            int y = (int)(row % Height), firstTap = y == 0 ? 1 : 0, lastTap = y == Height - 1 ? 1 : 2;
            nint tapFloats = (nint)channels * panelWidth;
            TileJob job = new()
            {
                ARowStride = Inputs,
                AStepStride = 1,
                ATapStride = (nint)Width * Inputs,
                BStepStride = panelWidth,
                BTapStride = 3 * tapFloats,
                Taps = lastTap - firstTap + 1,
                Steps = channels,
            };
            float* x = X + ((row + firstTap - 1) * job.ATapStride) + first;
            float* weights = Weights + ((((nint)panel * Inputs) + first) * 9 * panelWidth) + (firstTap * job.BTapStride);
            int tiles = (Width + GemmTile.RowsFor<V>() - 1) / GemmTile.RowsFor<V>();
            for (int tile = 0; tile < tiles; tile++)
            {
                int begin = (int)((long)Width * tile / tiles), end = (int)((long)Width * (tile + 1) / tiles);
                nint pixel = (row * Width) + begin;
                Output.Place(ref job, pixel, column, panelWidth, sums + (begin * panelWidth), first == 0);
                AddTaps<V>(job, x, weights, tapFloats, begin, end);
                if (last) Output.Finish<V>(in job, pixel, end - begin, column);
            }
        }

        /// <summary>
        /// Adds the three columns of taps to pixels <paramref name="begin"/> … <paramref name="end"/> − 1 of a row; the middle
        /// one first, for it alone concerns every pixel: at the picture's edges the others lack one.
        /// </summary>
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly void AddTaps<V>(TileJob job, float* x, float* weights, nint tapFloats, int begin, int end)
            where V : struct, ISimd<V>
        {
            job.A = x + ((nint)begin * Inputs);
            job.B = weights + tapFloats;
            GemmTile.Run<V>(end - begin, in job);

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
