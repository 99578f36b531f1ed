using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Convolution of channels-last maps of frames with kernels whose extents are 1 or 3, stride 1 and zero padding that keeps the
/// maps' size, and its gradients, as an implicit matrix product: for each tap the shifted elements are rows of the left operand
/// where they lie; nothing is unfolded, copied or padded in memory. Pictures are maps of one frame. Any sizes from one element
/// and one channel on. The same bits on any number of workers.
/// </summary>
/// <remarks>
/// With 64 channels or more on both sides a packed weight of 3x3 taps per frame uses Winograd's method, and so do the forward
/// pass and the gradient of the data with a weight that is not packed, from 1024 elements on. That takes a quarter of the time;
/// the relative error is 1.5e-6 instead of 3e-7, from 512 channels on 3.5e-6.
/// </remarks>
public static unsafe class Convolution
{
    /// <summary>Up to this many blocks of tiles transform weights that serve one call where they use them; more share a copy.</summary>
    private const int BlocksThatTransform = 2;

    /// <summary>Whether Winograd's method may be used where it is faster; weights packed before keep their form.</summary>
    public static bool AllowWinograd { get; set; } = true;

    /// <summary>y = activation(x * weight + bias) + residual, with y's elements as the rows of the epilogue.</summary>
    /// <param name="x">[batch, frames, height, width, cin].</param>
    /// <param name="batch">Maps; 0: nothing is done.</param>
    /// <param name="map">The extents of a map.</param>
    /// <param name="cin">Channels of <paramref name="x"/>.</param>
    /// <param name="weight">[cout, cin, the kernel's extents].</param>
    /// <param name="kernel">The extents of the kernel, each 1 or 3.</param>
    /// <param name="cout">Channels of <paramref name="y"/>.</param>
    /// <param name="y">[batch, frames, height, width, cout]; must not overlap x.</param>
    /// <param name="epilogue">What becomes of the sums.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative, there are no channels, or the kernel is not of ones and threes.</exception>
    public static void Forward(
        float* x, int batch, Volume map, int cin, float* weight, Volume kernel, int cout, float* y, in Epilogue epilogue)
    {
        ConvolutionShape shape = new(batch, map, kernel, cin, cout);
        shape.Check();
        if (shape.IsProduct)
            Gemm.Run(checked((int)shape.Pixels), cout, cin, new Matrix(x, cin, 1), new Matrix(weight, 1, cin), y, cout, in epilogue);
        else
            PackAndRun(shape, x, weight, forData: false, y, in epilogue);
    }

    /// <summary>The same with a weight that has been packed before.</summary>
    /// <inheritdoc cref="Forward(float*, int, Volume, int, float*, Volume, int, float*, in Epilogue)"/>
    public static void Forward(float* x, int batch, Volume map, PackedConv weight, float* y, in Epilogue epilogue)
    {
        ConvolutionShape shape = new(batch, map, weight.Kernel, weight.InputChannels, weight.OutputChannels);
        shape.Check();
        if (weight.Matrix is { } matrix)
            Gemm.Run(checked((int)shape.Pixels), shape.Outputs, shape.Inputs, new Matrix(x, shape.Inputs, 1), matrix, y, shape.Outputs, in epilogue);
        else if (weight.IsWinograd)
            WinogradForward.Run(shape.Flat, x, weight.Winograd, y, in epilogue);
        else
            ConvolutionDirect.Run(shape.Flat, x, weight.Weights, y, in epilogue);
        GC.KeepAlive(weight);
    }

    /// <summary>The gradient of the input: dx = dy * (weight turned round, inputs and outputs exchanged).</summary>
    /// <param name="dy">[batch, frames, height, width, cout].</param>
    /// <param name="batch">Maps; 0: nothing is done.</param>
    /// <param name="map">The extents of a map.</param>
    /// <param name="cin">Channels of <paramref name="dx"/>.</param>
    /// <param name="weight">[cout, cin, the kernel's extents].</param>
    /// <param name="kernel">The extents of the kernel, each 1 or 3.</param>
    /// <param name="cout">Channels of <paramref name="dy"/>.</param>
    /// <param name="dx">[batch, frames, height, width, cin], overwritten.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative, there are no channels, or the kernel is not of ones and threes.</exception>
    public static void BackwardData(
        float* dy, int batch, Volume map, int cin, float* weight, Volume kernel, int cout, float* dx)
    {
        ConvolutionShape shape = new(batch, map, kernel, cin, cout);
        shape.Check();
        if (shape.IsProduct)
            Gemm.Run(checked((int)shape.Pixels), cin, cout, new Matrix(dy, cout, 1), new Matrix(weight, cin, 1), dx, cin, default);
        else
            PackAndRun(shape.ForData, dy, weight, forData: true, dx, default);
    }

    /// <summary>The gradient of the weight (+ what <paramref name="dWeight"/> holds).</summary>
    /// <param name="x">[batch, frames, height, width, cin], the input of the forward pass.</param>
    /// <param name="dy">[batch, frames, height, width, cout].</param>
    /// <param name="batch">Maps; 0: the gradient is zero.</param>
    /// <param name="map">The extents of a map.</param>
    /// <param name="cin">Channels of <paramref name="x"/>.</param>
    /// <param name="kernel">The extents of the kernel, each 1 or 3.</param>
    /// <param name="cout">Channels of <paramref name="dy"/>.</param>
    /// <param name="dWeight">[cout, cin, the kernel's extents].</param>
    /// <param name="accumulate">Adds to what <paramref name="dWeight"/> holds instead of overwriting it.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative, there are no channels, or the kernel is not of ones and threes.</exception>
    public static void BackwardWeight(
        float* x, float* dy, int batch, Volume map, int cin, Volume kernel, int cout, float* dWeight, bool accumulate)
    {
        ConvolutionShape shape = new(batch, map, kernel, cin, cout);
        shape.Check();
        if (shape.IsProduct)
            Gemm.Run(cout, cin, checked((int)shape.Pixels), new Matrix(dy, 1, cout), new Matrix(x, cin, 1), dWeight, cin, new Epilogue { Accumulate = accumulate });
        else
            ConvolutionWeightGradient.Run(shape.Flat, x, dy, dWeight, accumulate);
    }

    private static void PackAndRun(ConvolutionShape shape, float* x, float* weight, bool forData, float* y, in Epilogue epilogue)
    {
        bool winograd = AllowWinograd && Winograd.Suits(shape);
        WinogradWeights filters = new(weight, shape.Kernel.Frames, shape.Inputs, shape.Outputs, forData);
        if (winograd && new WinogradPlan(shape.Flat, filters.Scheme).Blocks <= BlocksThatTransform)
        {
            WinogradForward.Run(shape.Flat, x, filters, y, in epilogue);
            return;
        }
        long bytes = winograd ? filters.Bytes : ConvolutionWeights.Bytes(shape.Kernel, shape.Inputs, shape.Outputs);
        nint packed = HostAllocator.Allocate(bytes);
        try
        {
            if (winograd)
            {
                WinogradForward.Run(shape.Flat, x, filters.Transform((float*)packed), y, in epilogue);
            }
            else
            {
                ConvolutionWeights.Pack(weight, shape.Kernel, shape.Inputs, shape.Outputs, forData, (float*)packed);
                ConvolutionDirect.Run(shape.Flat, x, (float*)packed, y, in epilogue);
            }
        }
        finally
        {
            HostAllocator.Release(packed, bytes);
        }
    }
}
