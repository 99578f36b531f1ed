using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>
/// Convolutions with stride 1 of channels-last maps padded to keep their size, two- and three-dimensional, as matrix products
/// that gather their operands; see <see cref="Cpu.Convolution"/>.
/// </summary>
public static unsafe class Convolution
{
    private const int Tile = ProductKernels.Tile, Threads = 256, PixelsPerPart = 1024, BlocksWanted = 512, MostParts = 64;
    private const string File = "Convolution.cu", WeightsFile = "ConvolutionWeights.cu";

    private static readonly ProductKernels s_forward = new(File, "convolution");
    private static readonly CudaKernel s_pack = new(File, "convolution_pack");
    private static readonly CudaKernel s_packTurned = new(File, "convolution_pack_turned");
    private static readonly CudaKernel s_tapsWithin = new(WeightsFile, "convolution_taps_within");
    private static readonly ProductKernels s_weights = new(WeightsFile, "convolution_weights");
    private static readonly CudaKernel s_finishWeights = new(WeightsFile, "convolution_weights_finish");

    /// <summary>Whether <see cref="Forward"/> can use a packed weight.</summary>
    public static bool TakesPacked(CudaDevice device, ProductPrecision precision) => GemmHopper.TakesPacked(device, precision);

    /// <summary>The bytes that <see cref="Pack"/> writes.</summary>
    public static long PackedBytes(Volume kernel, int input, int output) => ConvolutionHopper.PackedBytes(kernel, input, output);

    /// <summary>Rounds a weight to 16 bits in the order that <see cref="Forward"/> takes as packed, on devices that take it.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="weight">[output, input, kernel], as in PyTorch.</param>
    /// <param name="kernel">The kernel's extents.</param>
    /// <param name="input">Channels in.</param>
    /// <param name="output">Channels out.</param>
    /// <param name="packed"><see cref="PackedBytes"/> bytes of the device's memory, 16-byte aligned.</param>
    /// <param name="precision">BFloat16 or Float16.</param>
    public static void Pack(CudaStream stream, float* weight, Volume kernel, int input, int output, void* packed, ProductPrecision precision) =>
        ConvolutionHopper.Pack(stream, WeightMatrix(weight, kernel, input), 1, kernel, input, output, packed, precision);

    /// <summary>y = activation(x * weight + bias).</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="x">[batch, map, input].</param>
    /// <param name="batch">The number of maps.</param>
    /// <param name="map">Their extents.</param>
    /// <param name="input">Channels of x.</param>
    /// <param name="weight">[output, input, kernel], as in PyTorch.</param>
    /// <param name="kernel">Odd extents, at most 32 together.</param>
    /// <param name="output">Channels of y.</param>
    /// <param name="y">[batch, map, output].</param>
    /// <param name="epilogue">Bias, activation and where the sums before that go.</param>
    /// <param name="precision">To what the operands are rounded.</param>
    /// <param name="packed">The weight as <see cref="Pack"/> made it for this precision, or null.</param>
    public static void Forward(CudaStream stream, float* x, int batch, Volume map, int input, float* weight, Volume kernel, int output, float* y, in Epilogue epilogue, ProductPrecision precision, void* packed = null)
    {
        Gemm.Product onHopper = new() { C = y, CRow = output, Bias = epilogue.Bias, PreActivation = epilogue.PreActivation, Activation = (int)epilogue.Activation, M = batch * map.Count, N = output };
        if (ConvolutionHopper.Takes(stream.Device, x, input, onHopper, precision))
        {
            if (packed is not null) ConvolutionHopper.RunPacked(stream, x, batch, map, packed, kernel, input, onHopper, precision);
            else ConvolutionHopper.Run(stream, x, batch, map, WeightMatrix(weight, kernel, input), 1, kernel, input, onHopper, precision);
            return;
        }
        Shape shape = new(batch, map, kernel, input, output);
        using CudaScratch ordered = new(stream, shape.WeightCount * sizeof(float));
        s_pack.Launch(stream, Grid.Over(shape.WeightCount, Threads), Threads, 0, weight, output, input, kernel.Count, ordered.Address);
        Result result = new() { Y = y, Bias = epilogue.Bias, PreActivation = epilogue.PreActivation, Activation = (int)epilogue.Activation };
        Run(stream, x, (float*)ordered.Address, result, shape, precision);
    }

    /// <summary>The gradient of the input, overwritten; arguments as those of <see cref="Forward"/>.</summary>
    public static void BackwardData(CudaStream stream, float* dy, int batch, Volume map, int input, float* weight, Volume kernel, int output, float* dx, ProductPrecision precision)
    {
        Gemm.Product onHopper = new() { C = dx, CRow = input, M = batch * map.Count, N = input };
        if (ConvolutionHopper.Takes(stream.Device, dy, output, onHopper, precision))
        {
            // The taps turned round, the channels exchanged.
            ConvolutionHopper.Run(stream, dy, batch, map, new Matrix(weight + kernel.Count - 1, input * kernel.Count, kernel.Count), -1, kernel, output, onHopper, precision);
            return;
        }
        Shape shape = new(batch, map, kernel, output, input);
        using CudaScratch packed = new(stream, shape.WeightCount * sizeof(float));
        s_packTurned.Launch(stream, Grid.Over(shape.WeightCount, Threads), Threads, 0, weight, output, input, kernel.Count, packed.Address);
        Run(stream, dy, (float*)packed.Address, new Result { Y = dx }, shape, precision);
    }

    /// <summary>The gradient of the weight, overwritten; arguments as those of <see cref="Forward"/>.</summary>
    public static void BackwardWeight(CudaStream stream, float* x, float* dy, int batch, Volume map, int input, Volume kernel, int output, float* dWeight, ProductPrecision precision)
    {
        Shape shape = new(batch, map, kernel, input, output);
        int tiles = (input + Tile - 1) / Tile * ((output + Tile - 1) / Tile);
        // As many parts as keep a GPU busy, by the sizes alone, so that the order of the sums is fixed.
        long parts = Math.Clamp(Math.Min(BlocksWanted / (tiles * kernel.Count), shape.Pixels / PixelsPerPart), 1, MostParts), pixelsPerPart = (shape.Pixels + parts - 1) / parts;
        using CudaScratch partials = new(stream, parts * shape.WeightCount * sizeof(float)), within = new(stream, (long)map.Count * sizeof(uint));
        s_tapsWithin.Launch(stream, Grid.Over(map.Count, Threads), Threads, 0, within.Address, KernelArgument.ByValue(&shape));
        s_weights.Launch(stream, precision, new Grid(tiles, kernel.Count, (int)parts), x, dy, within.Address, partials.Address, pixelsPerPart, KernelArgument.ByValue(&shape));
        s_finishWeights.Launch(stream, Grid.Over(shape.WeightCount, Threads), Threads, 0, partials.Address, (int)parts, output, input, kernel.Count, dWeight);
    }

    /// <summary>The weight of the kernel's first place, [input, output].</summary>
    private static Matrix WeightMatrix(float* weight, Volume kernel, int input) => new(weight, kernel.Count, input * kernel.Count);

    private static void Run(CudaStream stream, float* x, float* packed, Result result, Shape shape, ProductPrecision precision)
    {
        Grid grid = new((shape.Pixels + Tile - 1) / Tile, (shape.Output + Tile - 1) / Tile);
        s_forward.Launch(stream, precision, grid, x, packed, KernelArgument.ByValue(&result), KernelArgument.ByValue(&shape));
    }

    /// <summary>As Convolution.cuh declares it.</summary>
    private readonly struct Shape(int batch, Volume map, Volume kernel, int input, int output)
    {
        private readonly Volume _map = map;
        private readonly Volume _kernel = kernel;
        private readonly long _pixels = (long)batch * map.Count;
        private readonly int _input = input;
        private readonly int _output = output;
        private readonly int _taps = kernel.Count;

        public long Pixels => _pixels;

        public int Output => _output;

        public long WeightCount => (long)_taps * _input * _output;
    }

    /// <summary>Convolution.cu's Epilogue.</summary>
    private struct Result
    {
        public float* Y, Bias, PreActivation;
        public int Activation;
    }
}
