using Lavt.Tensors;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// 3x3 convolution of channels-last pictures with stride 1 and zero padding 1, and its gradients, as an implicit matrix
/// product: for each tap the shifted pixels are rows of the left operand where they lie; nothing is unfolded, copied or
/// padded in memory. Any sizes from one pixel and one channel on. The same bits on any number of workers.
/// </summary>
/// <remarks>
/// With 64 channels or more on both sides a packed weight uses Winograd's method, and so do the forward pass and the gradient
/// of the data with a weight that is not packed, from 2048 pixels on. That takes a quarter of the time; the relative error is
/// 1.5e-6 instead of 3e-7.
/// </remarks>
public static unsafe class Conv3x3
{
    /// <summary>Whether Winograd's method may be used where it is faster; weights packed before keep their form.</summary>
    public static bool AllowWinograd { get; set; } = true;

    /// <summary>y = activation(x * weight + bias) + residual, with y's pixels as the rows of the epilogue.</summary>
    /// <param name="x">[batch, height, width, cin].</param>
    /// <param name="batch">Pictures; 0: nothing is done.</param>
    /// <param name="height">Rows of a picture.</param>
    /// <param name="width">Columns of a picture.</param>
    /// <param name="cin">Channels of <paramref name="x"/>.</param>
    /// <param name="weight">[cout, cin, 3, 3].</param>
    /// <param name="cout">Channels of <paramref name="y"/>.</param>
    /// <param name="y">[batch, height, width, cout]; must not overlap x.</param>
    /// <param name="epilogue">What becomes of the sums.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative, or there are no channels.</exception>
    public static void Forward(
        float* x, int batch, int height, int width, int cin, float* weight, int cout, float* y, in Epilogue epilogue)
    {
        Check(batch, height, width, cin, cout);
        PackAndRun(x, batch, height, width, cin, weight, cin, cout, forData: false, y, in epilogue);
    }

    /// <summary>The same with a weight that has been packed before.</summary>
    /// <inheritdoc cref="Forward(float*, int, int, int, int, float*, int, float*, in Epilogue)"/>
    public static void Forward(float* x, int batch, int height, int width, PackedConv weight, float* y, in Epilogue epilogue)
    {
        Check(batch, height, width, weight.InputChannels, weight.OutputChannels);
        (int cin, int cout) = (weight.InputChannels, weight.OutputChannels);
        if (weight.IsWinograd) WinogradForward.Run(x, batch, height, width, cin, weight.Weights, cout, y, in epilogue);
        else Conv3x3Direct.Run(x, batch, height, width, cin, weight.Weights, cout, y, in epilogue);
        GC.KeepAlive(weight);
    }

    /// <summary>The gradient of the input: dx = dy * (weight turned round, inputs and outputs exchanged).</summary>
    /// <param name="dy">[batch, height, width, cout].</param>
    /// <param name="batch">Pictures; 0: nothing is done.</param>
    /// <param name="height">Rows of a picture.</param>
    /// <param name="width">Columns of a picture.</param>
    /// <param name="cin">Channels of <paramref name="dx"/>.</param>
    /// <param name="weight">[cout, cin, 3, 3].</param>
    /// <param name="cout">Channels of <paramref name="dy"/>.</param>
    /// <param name="dx">[batch, height, width, cin], overwritten.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative, or there are no channels.</exception>
    public static void BackwardData(
        float* dy, int batch, int height, int width, int cin, float* weight, int cout, float* dx)
    {
        Check(batch, height, width, cin, cout);
        Epilogue none = default;
        PackAndRun(dy, batch, height, width, cout, weight, cin, cout, forData: true, dx, in none);
    }

    /// <summary>The gradient of the weight (+ what <paramref name="dWeight"/> holds).</summary>
    /// <param name="x">[batch, height, width, cin], the input of the forward pass.</param>
    /// <param name="dy">[batch, height, width, cout].</param>
    /// <param name="batch">Pictures; 0: the gradient is zero.</param>
    /// <param name="height">Rows of a picture.</param>
    /// <param name="width">Columns of a picture.</param>
    /// <param name="cin">Channels of <paramref name="x"/>.</param>
    /// <param name="cout">Channels of <paramref name="dy"/>.</param>
    /// <param name="dWeight">[cout, cin, 3, 3].</param>
    /// <param name="accumulate">Adds to what <paramref name="dWeight"/> holds instead of overwriting it.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size is negative, or there are no channels.</exception>
    public static void BackwardWeight(
        float* x, float* dy, int batch, int height, int width, int cin, int cout, float* dWeight, bool accumulate)
    {
        Check(batch, height, width, cin, cout);
        Conv3x3WeightGradient.Run(x, dy, batch, height, width, cin, cout, dWeight, accumulate);
    }

    private static void PackAndRun(
        float* x, int batch, int height, int width, int inputs, float* weight, int cin, int cout, bool forData, float* y, in Epilogue epilogue)
    {
        int outputs = forData ? cin : cout;
        bool winograd = AllowWinograd && Winograd.Suits(batch, height, width, inputs, outputs);
        long bytes = winograd ? WinogradWeights.Bytes(inputs, outputs) : Conv3x3Weights.Bytes(inputs, outputs);
        nint packed = HostAllocator.Allocate(bytes);
        try
        {
            if (winograd)
            {
                WinogradWeights.Pack(weight, cin, cout, forData, (float*)packed);
                WinogradForward.Run(x, batch, height, width, inputs, (float*)packed, outputs, y, in epilogue);
            }
            else
            {
                Conv3x3Weights.Pack(weight, cin, cout, forData, (float*)packed);
                Conv3x3Direct.Run(x, batch, height, width, inputs, (float*)packed, outputs, y, in epilogue);
            }
        }
        finally
        {
            HostAllocator.Release(packed, bytes);
        }
    }

    private static void Check(int batch, int height, int width, int cin, int cout)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(batch);
        ArgumentOutOfRangeException.ThrowIfNegative(height);
        ArgumentOutOfRangeException.ThrowIfNegative(width);
        ArgumentOutOfRangeException.ThrowIfLessThan(cin, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(cout, 1);
    }
}
