using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>The Dice loss and the boundary loss of <see cref="Cpu.DiceBoundaryLoss"/>, found by max-pooling.</summary>
public static unsafe class BoundaryLoss
{
    private const int Threads = Losses.Threads, EdgeWindow = 3, NearWindow = 5, Sums = 4, SlopeBytes = 3 * sizeof(float);
    private const string File = "BoundaryLoss.cu";

    private static readonly CudaKernel s_outside = new(File, "boundary_outside");
    private static readonly CudaKernel s_edge = new(File, "boundary_edge");
    private static readonly CudaKernel s_sums = new(File, "boundary_sums");
    private static readonly CudaKernel s_finish = new(File, "boundary_finish");
    private static readonly CudaKernel s_edgeGradient = new(File, "boundary_edge_gradient");
    private static readonly CudaKernel s_gradient = new(File, "boundary_gradient");

    /// <summary>diceRate · Dice loss + boundaryRate · boundary loss and its gradient.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="logits">[batch, height, width, 2], 8-byte aligned.</param>
    /// <param name="target">[batch, height, width].</param>
    /// <param name="batch">Samples, at most 65535.</param>
    /// <param name="height">Rows of pixels.</param>
    /// <param name="width">Columns of pixels.</param>
    /// <param name="boundaryRate">The factor of the boundary loss.</param>
    /// <param name="diceRate">The factor of the Dice loss.</param>
    /// <param name="loss">One number.</param>
    /// <param name="dLogits">The gradient, as <paramref name="logits"/>; null if not wanted.</param>
    public static void Run(CudaStream stream, float* logits, byte* target, int batch, int height, int width, double boundaryRate, double diceRate, float* loss, float* dLogits)
    {
        long pixels = (long)height * width, all = batch * pixels;
        double diceFactor = diceRate / (2.0 * batch), boundaryFactor = boundaryRate / (2.0 * batch);
        using CudaScratch diceTotals = new(stream, (long)batch * Losses.DiceSums * sizeof(double));
        Losses.Dice(stream, logits, target, batch, pixels, diceFactor, 0, (double*)diceTotals.Address, loss);

        using Maps maps = new(stream, batch, height, width);
        s_outside.Launch(stream, Grid.Over(all, Threads), Threads, 0, logits, target, all, maps.Outside, maps.TrueOutside);
        maps.FindEdges(maps.TrueOutside, maps.TrueEdge, maps.NearTrue);
        maps.FindEdges(maps.Outside, maps.Edge, maps.Near);

        int chunks = (int)((pixels + Losses.PixelsPerBlock - 1) / Losses.PixelsPerBlock);
        using CudaScratch slopes = new(stream, 2L * batch * SlopeBytes), partials = new(stream, 2L * batch * chunks * Sums * sizeof(double));
        s_sums.Launch(stream, new Grid(chunks, batch), Threads, 0, maps.Edge, maps.Near, maps.TrueEdge, maps.NearTrue, pixels, partials.Address);
        s_finish.Launch(stream, 1, Threads, 0, partials.Address, batch, chunks, KernelArgument.ByValue(&boundaryFactor), slopes.Address, loss);
        if (dLogits == null) return;

        // What is no longer needed makes room: near takes the gradient of the edges, edge that of what they were found on.
        MaxPool.Backward(stream, maps.TrueEdge, maps.NearWinners, batch, height, width, 2, NearWindow, maps.Near);
        s_edgeGradient.Launch(stream, Grid.Over(2 * pixels, Threads) with { Y = batch }, Threads, 0, maps.Near, maps.NearTrue, slopes.Address, pixels);
        MaxPool.Backward(stream, maps.Near, maps.EdgeWinners, batch, height, width, 2, EdgeWindow, maps.Edge);
        s_gradient.Launch(stream, Grid.Over(pixels, Threads) with { Y = batch }, Threads, 0,
            logits, target, maps.Edge, maps.Near, diceTotals.Address, KernelArgument.ByValue(&diceFactor), pixels, dLogits);
    }

    /// <summary>The maps [batch, height, width, 2] of both classes.</summary>
    private readonly ref struct Maps
    {
        private readonly CudaStream _stream;
        private readonly CudaScratch _scratch;
        private readonly int _batch, _height, _width;

        public Maps(CudaStream stream, int batch, int height, int width)
        {
            (_stream, _batch, _height, _width) = (stream, batch, height, width);
            long n = Count;
            _scratch = new CudaScratch(stream, n * (6 * sizeof(float) + 2 * sizeof(long)));
            EdgeWinners = (long*)_scratch.Address;
            NearWinners = EdgeWinners + n;
            Outside = (float*)(NearWinners + n);
            Edge = Outside + n;
            Near = Edge + n;
            TrueOutside = Near + n;
            TrueEdge = TrueOutside + n;
            NearTrue = TrueEdge + n;
        }

        public long* EdgeWinners { get; }

        public long* NearWinners { get; }

        public float* Outside { get; }

        public float* Edge { get; }

        public float* Near { get; }

        public float* TrueOutside { get; }

        public float* TrueEdge { get; }

        public float* NearTrue { get; }

        private long Count => 2L * _batch * _height * _width;

        /// <summary>edge = the largest 3x3 neighbour less the pixel itself, near = the largest 5x5 neighbour of edge; the winners of the last call stay.</summary>
        public void FindEdges(float* outside, float* edge, float* near)
        {
            MaxPool.Forward(_stream, outside, _batch, _height, _width, 2, EdgeWindow, edge, EdgeWinners);
            s_edge.Launch(_stream, Grid.Over(Count, Threads), Threads, 0, edge, outside, edge, Count);
            MaxPool.Forward(_stream, edge, _batch, _height, _width, 2, NearWindow, near, NearWinners);
        }

        public void Dispose() => _scratch.Dispose();
    }
}
