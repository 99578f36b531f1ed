using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;
using ProductPrecision = Lavt.Kernels.Cuda.ProductPrecision;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// Convolution of a channels-last map with stride 1, padded with zeros so that the map keeps its size:
    /// y = act(x * weight + bias).
    /// </summary>
    /// <param name="x">[B, T, H, W, Cin].</param>
    /// <param name="weight">[Cout, Cin, kt, kh, kw] as in PyTorch, each of kt, kh and kw 1 or 3.</param>
    /// <param name="bias">[Cout], or null.</param>
    /// <param name="activation">Applied to the sum of convolution and bias.</param>
    /// <param name="precision">To what a GPU rounds the operands of the products.</param>
    /// <param name="packedOnGpu">The weight packed by <see cref="PackConvolutionOnGpu"/> for this precision, for inference on a GPU, or null.</param>
    /// <returns>[B, T, H, W, Cout].</returns>
    public static Tensor Conv3d(Tensor x, Tensor weight, Tensor? bias = null, Activation activation = Activation.None, ProductPrecision precision = ProductPrecision.Float32, Tensor? packedOnGpu = null)
    {
        CheckFloat(nameof(Conv3d), x);
        if (x.Rank != 5 || weight.Rank != 5 || weight.Shape[1] != x.Shape[4] || !Enumerable.Range(2, 3).All(axis => weight.Shape[axis] is 1 or 3))
            throw new ArgumentException($"Conv3d: {x} does not go with a weight of shape {weight.Shape}; expected [B, T, H, W, Cin] and [Cout, Cin, kt, kh, kw] with kernels of 1 or 3");
        if (x.DType == DType.F64) return Conv3dComposed(x, weight, bias, activation);

        (x, weight) = (Contiguous(x), Contiguous(weight));
        if (bias is not null) bias = Contiguous(bias);
        Volume map = new(x.Shape[1], x.Shape[2], x.Shape[3]), kernel = new(weight.Shape[2], weight.Shape[3], weight.Shape[4]);
        (int batch, int cin, int cout) = (x.Shape[0], x.Shape[4], weight.Shape[0]);
        Tensor y = x.EmptyLike(x.Shape.With(-1, cout));
        bool recorded = Tape.Needs(x, weight, bias);
        // GELU's derivative needs the sum before it; the other activations can be differentiated from their result.
        Tensor? sums = recorded && activation == Activation.Gelu ? x.EmptyLike(y.Shape) : null;
        Tensor? result = recorded && activation is not (Activation.None or Activation.Gelu) ? y : null;
        Epilogue epilogue = ConvolutionEpilogue(bias, activation, sums);
        if (x.Device.IsCuda) Kernels.Cuda.Convolution.Forward(StreamOf(x), x.DevicePointer<float>(), batch, map, cin, weight.DevicePointer<float>(), kernel, cout, y.DevicePointer<float>(), epilogue, precision, packedOnGpu.DevicePointer<byte>());
        else Convolution.Forward(x.Pointer<float>(), batch, map, cin, weight.Pointer<float>(), kernel, cout, y.Pointer<float>(), epilogue);
        if (!recorded) return y;
        if (sums is not null) Tape.Repeatable(y, [sums], () => ActivationForward(Activation.Gelu, sums, y));
        return Tape.Record(nameof(Conv3d), y, [x, weight, bias], [x, weight, sums, result], g =>
        {
            Tensor dSums = ActivationBackward(activation, sums, result, g.Output);
            if (g.Needs(0))
            {
                Tensor dx = x.EmptyLike(x.Shape);
                if (x.Device.IsCuda) Kernels.Cuda.Convolution.BackwardData(StreamOf(x), dSums.DevicePointer<float>(), batch, map, cin, weight.DevicePointer<float>(), kernel, cout, dx.DevicePointer<float>(), precision);
                else Convolution.BackwardData(dSums.Pointer<float>(), batch, map, cin, weight.Pointer<float>(), kernel, cout, dx.Pointer<float>());
                g.Set(0, dx);
            }
            if (g.Needs(1))
            {
                Tensor dWeight = x.EmptyLike(weight.Shape);
                if (x.Device.IsCuda) Kernels.Cuda.Convolution.BackwardWeight(StreamOf(x), x.DevicePointer<float>(), dSums.DevicePointer<float>(), batch, map, cin, kernel, cout, dWeight.DevicePointer<float>(), precision);
                else Convolution.BackwardWeight(x.Pointer<float>(), dSums.Pointer<float>(), batch, map, cin, kernel, cout, dWeight.Pointer<float>(), accumulate: false);
                g.Set(1, dWeight);
            }
            if (g.Needs(2))
            {
                Tensor dBias = x.EmptyLike([cout]);
                if (x.Device.IsCuda) Kernels.Cuda.ColumnSum.Run(StreamOf(x), dSums.DevicePointer<float>(), dSums.Count / cout, cout, dBias.DevicePointer<float>());
                else ColumnSum.Run(dSums.Pointer<float>(), checked((int)(dSums.Count / cout)), cout, dBias.Pointer<float>(), accumulate: false);
                g.Set(2, dBias);
            }
        });
    }

    /// <summary>3x3 convolution of pictures without bias: x [B, H, W, Cin], weight [Cout, Cin, 3, 3], result [B, H, W, Cout].</summary>
    public static Tensor Conv3x3(Tensor x, Tensor weight, ProductPrecision precision = ProductPrecision.Float32, Tensor? packedOnGpu = null)
    {
        if (x.Rank != 4 || weight.Rank != 4 || weight.Shape[1] != x.Shape[3] || weight.Shape[2] != 3 || weight.Shape[3] != 3)
            throw new ArgumentException($"Conv3x3: {x} does not go with a weight of shape {weight.Shape}; expected [B, H, W, Cin] and [Cout, Cin, 3, 3]");
        Tensor y = Conv3d(Reshape(x, [x.Shape[0], 1, x.Shape[1], x.Shape[2], x.Shape[3]]), Reshape(weight, [weight.Shape[0], weight.Shape[1], 1, 3, 3]), precision: precision, packedOnGpu: packedOnGpu);
        return Reshape(y, x.Shape.With(-1, weight.Shape[0]));
    }

    /// <summary>
    /// The convolution with a weight packed once; for inference, has no gradient.
    /// </summary>
    /// <param name="x">[B, T, H, W, Cin], or pictures [B, H, W, Cin] for a kernel of one frame.</param>
    /// <param name="weight">A weight from <see cref="PackConvolution"/>.</param>
    /// <param name="bias">[Cout], or null.</param>
    /// <param name="activation">Applied to the sum of convolution and bias.</param>
    /// <returns><paramref name="x"/>'s shape with Cout channels.</returns>
    public static Tensor ConvolutionInference(Tensor x, PackedConv weight, Tensor? bias, Activation activation)
    {
        Tape.NotDifferentiable(nameof(ConvolutionInference), x, bias);
        CheckFloat(nameof(ConvolutionInference), x);
        if (x.Rank is not (4 or 5) || x.Shape[-1] != weight.InputChannels)
            throw new ArgumentException($"ConvolutionInference: {x} does not go with a weight for {weight.InputChannels} channels; expected [B, T, H, W, {weight.InputChannels}] or [B, H, W, {weight.InputChannels}]");
        x = Contiguous(x);
        Tensor y = Tensor.Empty(x.Shape.With(-1, weight.OutputChannels));
        Volume map = new(x.Rank == 5 ? x.Shape[1] : 1, x.Shape[-3], x.Shape[-2]);
        Convolution.Forward(x.Pointer<float>(), x.Shape[0], map, weight, y.Pointer<float>(), ConvolutionEpilogue(bias, activation, null));
        return y;
    }

    /// <summary>Packs a weight [Cout, Cin, kt, kh, kw] or [Cout, Cin, kh, kw] for <see cref="ConvolutionInference"/>.</summary>
    /// <param name="weight">The weight.</param>
    /// <param name="rounded">Whether products of 16 bits will do; see <see cref="PackedConv.Pack"/>.</param>
    public static PackedConv PackConvolution(Tensor weight, bool rounded = false) =>
        PackedConv.Pack(weight.Pointer<float>(), KernelOf(weight), weight.Shape[1], weight.Shape[0], rounded);

    /// <summary>Packs a weight [Cout, Cin, kt, kh, kw] or [Cout, Cin, kh, kw] on a GPU for <see cref="Conv3d"/> in a precision; worthwhile where it is used many times unchanged.</summary>
    /// <param name="weight">The weight.</param>
    /// <param name="precision">Of the products.</param>
    /// <param name="packed">What an earlier call returned for this weight, to be overwritten; null makes a new one.</param>
    /// <returns>The packed weight, or null where that is of no use.</returns>
    public static Tensor? PackConvolutionOnGpu(Tensor weight, ProductPrecision precision, Tensor? packed = null)
    {
        if (!weight.Device.IsCuda || !Kernels.Cuda.Convolution.TakesPacked(CudaDevice.Of(weight.Device), precision)) return null;
        (Volume kernel, int cin, int cout) = (KernelOf(weight), weight.Shape[1], weight.Shape[0]);
        packed ??= Tensor.Empty([checked((int)Kernels.Cuda.Convolution.PackedBytes(kernel, cin, cout))], DType.U8, weight.Device);
        Kernels.Cuda.Convolution.Pack(StreamOf(weight), weight.DevicePointer<float>(), kernel, cin, cout, packed.DevicePointer<byte>(), precision);
        return packed;
    }

    private static Volume KernelOf(Tensor weight) => new(weight.Rank == 5 ? weight.Shape[2] : 1, weight.Shape[-2], weight.Shape[-1]);

    private static Epilogue ConvolutionEpilogue(Tensor? bias, Activation activation, Tensor? sums) => new()
    {
        Bias = bias?.Device.IsCuda == true ? bias.DevicePointer<float>() : bias is null ? null : bias.Pointer<float>(),
        Activation = activation,
        PreActivation = sums?.Device.IsCuda == true ? sums.DevicePointer<float>() : sums is null ? null : sums.Pointer<float>(),
    };

    internal static Tensor Conv3dComposed(Tensor x, Tensor weight, Tensor? bias, Activation activation)
    {
        Volume map = new(x.Shape[1], x.Shape[2], x.Shape[3]), kernel = new(weight.Shape[2], weight.Shape[3], weight.Shape[4]);
        Tensor padded = Pad(Pad(Pad(x, 1, kernel.Frames / 2, kernel.Frames / 2), 2, kernel.Height / 2, kernel.Height / 2), 3, kernel.Width / 2, kernel.Width / 2);
        Tensor taps = Permute(Reshape(weight, [weight.Shape[0], weight.Shape[1], kernel.Count]), 2, 1, 0);
        Tensor? y = null;
        for (int tap = 0; tap < kernel.Count; tap++)
        {
            int t = tap / kernel.Plane, row = tap / kernel.Width % kernel.Height, column = tap % kernel.Width;
            Tensor shifted = Slice(Slice(Slice(padded, 1, t, map.Frames), 2, row, map.Height), 3, column, map.Width);
            Tensor matrix = Reshape(Slice(taps, 0, tap, 1), [weight.Shape[1], weight.Shape[0]]);
            Tensor term = MatMul(Contiguous(shifted), matrix);
            y = y is null ? term : Add(y, term);
        }
        if (bias is not null) y = Add(y!, bias);
        return Activate(y!, activation);
    }
}
