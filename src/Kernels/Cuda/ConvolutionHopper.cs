using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Kernels.Cuda;

/// <summary>Convolutions of <see cref="Convolution"/> in bfloat16 and float16 on GPUs of compute capability 9.0, as <see cref="GemmHopper"/> multiplies matrices.</summary>
internal static unsafe class ConvolutionHopper
{
    private const int Depth = HopperKernels.RowBytes / sizeof(ushort), BoxPixels = HopperKernels.TileRows;

    private static readonly HopperKernels s_bf16 = new("ConvolutionHopper.cu", "convolution_hopper", "-DPRODUCT_TYPE=bf16");
    private static readonly HopperKernels s_f16 = new("ConvolutionHopper.cu", "convolution_hopper", "-DPRODUCT_TYPE=f16");

    /// <summary>Whether the device has the instructions and copies of boxes can take the map.</summary>
    /// <param name="device">The device.</param>
    /// <param name="x">The map.</param>
    /// <param name="input">Its channels.</param>
    /// <param name="result">What is written, [pixels, output], and the epilogue.</param>
    /// <param name="precision">To what the operands are rounded.</param>
    public static bool Takes(CudaDevice device, float* x, int input, in Gemm.Product result, ProductPrecision precision) =>
        GemmHopper.TakesPacked(device, precision) && input % 4 == 0 && (long)x % 16 == 0 && result.M > 0 && GemmHopper.CanStore(result);

    /// <summary>The bytes of a packed weight.</summary>
    public static long PackedBytes(Volume kernel, int input, int output) => (long)output * kernel.Count * DepthOf(input) * sizeof(ushort);

    /// <summary>Packs a weight; arguments as those of <see cref="Run"/>.</summary>
    public static void Pack(CudaStream stream, Matrix weight, long tapStride, Volume kernel, int input, int output, void* packed, ProductPrecision precision) =>
        GemmHopper.PackTaps(stream, weight, tapStride, kernel.Count, input, DepthOf(input), output, packed, precision);

    /// <summary>Packs the weight and convolves.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="x">[batch, map, input].</param>
    /// <param name="batch">The number of maps.</param>
    /// <param name="map">Their extents.</param>
    /// <param name="weight">[input, output] of the kernel's first place, any strides.</param>
    /// <param name="tapStride">From there to the next place.</param>
    /// <param name="kernel">Odd extents.</param>
    /// <param name="input">Channels of x.</param>
    /// <param name="result">What is written, [pixels, output], and the epilogue.</param>
    /// <param name="precision">BFloat16 or Float16.</param>
    public static void Run(CudaStream stream, float* x, int batch, Volume map, Matrix weight, long tapStride, Volume kernel, int input, Gemm.Product result, ProductPrecision precision)
    {
        using CudaScratch packed = new(stream, PackedBytes(kernel, input, result.N));
        Pack(stream, weight, tapStride, kernel, input, result.N, packed.Address, precision);
        RunPacked(stream, x, batch, map, packed.Address, kernel, input, result, precision);
    }

    /// <summary>Convolves with a weight that <see cref="Pack"/> packed.</summary>
    public static void RunPacked(CudaStream stream, float* x, int batch, Volume map, void* packed, Volume kernel, int input, Gemm.Product result, ProductPrecision precision)
    {
        int depth = DepthOf(input), output = result.N;
        (int boxHeight, int boxWidth, long boxesPerFrame) = BoxOf(map);
        long boxes = boxesPerFrame * map.Frames * batch;
        int columns = HopperKernels.ColumnsOf(stream.Device, boxes, output);
        TensorMap left = TensorMap.OfMaps(x, DType.F32, batch, map, input, boxHeight, boxWidth, HopperKernels.RowBytes / sizeof(float));
        TensorMap right = TensorMap.Of(packed, GemmHopper.HalfOf(precision), output, (long)kernel.Count * depth, (long)kernel.Count * depth * sizeof(ushort), columns, Depth);
        result.K = depth;
        Shape shape = new() { Map = map, Kernel = kernel, BoxHeight = boxHeight, BoxWidth = boxWidth, Batch = batch };
        (precision == ProductPrecision.Float16 ? s_f16 : s_bf16).Launch(stream, columns, result.Activation, boxes, output, KernelArgument.ByValue(&left), KernelArgument.ByValue(&right), KernelArgument.ByValue(&result), KernelArgument.ByValue(&shape));
    }

    private static int DepthOf(int input) => (input + Depth - 1) / Depth * Depth;

    /// <summary>The box of 128 pixels of which fewest cover a frame.</summary>
    private static (int Height, int Width, long Boxes) BoxOf(Volume map)
    {
        (int Height, int Width, long Boxes) best = (0, 0, long.MaxValue);
        for (int height = 1; height <= BoxPixels; height *= 2)
        {
            int width = BoxPixels / height;
            long boxes = (long)((map.Height + height - 1) / height) * ((map.Width + width - 1) / width);
            if (boxes < best.Boxes) best = (height, width, boxes);
        }
        return best;
    }

    /// <summary>HopperShape of ConvolutionHopper.cu.</summary>
    private struct Shape
    {
        public Volume Map, Kernel;
        public int BoxHeight, BoxWidth, Batch;
    }
}
