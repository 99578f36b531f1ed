using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;
using ProductPrecision = Lavt.Kernels.Cuda.ProductPrecision;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// y = act(x · Wᵀ + b) + residual over the last axis: x [..., K], weight [N, K] (trailing extents of 1, as of 1x1
    /// convolutions, are allowed), bias [N], result and residual [..., N].
    /// </summary>
    /// <param name="x">The input.</param>
    /// <param name="weight">The weight in PyTorch's layout.</param>
    /// <param name="bias">The bias, or null.</param>
    /// <param name="activation">Applied to the sum of product and bias.</param>
    /// <param name="residual">Added at the end, or null.</param>
    /// <param name="packed">The weight packed by <see cref="PackLinear"/>, for inference; null packs it on the fly.</param>
    /// <param name="precision">To what the products' operands are rounded on a GPU, forward and backward.</param>
    /// <param name="packedOnGpu">The weight packed by <see cref="PackLinearOnGpu"/> for this precision, for inference on a GPU, or null.</param>
    /// <param name="forLinear">Whether the result is only for another call of this: in inference on the CPU it may then be a view with gaps.</param>
    public static Tensor Linear(Tensor x, Tensor weight, Tensor? bias = null, Activation activation = Activation.None, Tensor? residual = null, PackedMatrix? packed = null, ProductPrecision precision = ProductPrecision.Float32, Tensor? packedOnGpu = null, bool forLinear = false)
    {
        CheckFloat(nameof(Linear), x);
        int k = x.Rank > 0 ? x.Shape[-1] : 0, n = weight.Shape[0];
        if (weight.Count != (long)n * k)
            throw new ArgumentException($"Linear: {x} does not go with a weight of shape {weight.Shape}; the last extent must be {weight.Count / Math.Max(1, n)}");
        if (x.DType == DType.F64) return LinearComposed(x, weight, bias, activation, residual);

        bool recorded = Tape.Needs(x, weight, bias, residual), takesGaps = !recorded && !x.Device.IsCuda;
        if (!takesGaps || RowStride(x) == 0) x = Contiguous(x);
        weight = Contiguous(weight);
        if (bias is not null) bias = Contiguous(bias);
        if (residual is not null) residual = Contiguous(residual);
        int rows = checked((int)(x.Count / Math.Max(1, k)));
        Tensor y = takesGaps && forLinear ? EmptyWithGaps(x.Shape.With(-1, n)) : x.EmptyLike(x.Shape.With(-1, n));
        // GELU's derivative needs the sum before it; the other activations can be differentiated from their result.
        Tensor? sums = recorded && activation == Activation.Gelu ? x.EmptyLike(y.Shape) : null;
        Tensor? result = recorded && activation is not (Activation.None or Activation.Gelu) ? y : null;
        LinearForward(x, weight, bias, activation, residual, sums, packed, packedOnGpu, precision, y);
        if (!recorded) return y;
        if (residual is not null && result is not null)
            throw new NotSupportedException($"Linear: the gradient of {activation} together with a residual is not implemented; add the residual separately");

        if (sums is not null && residual is null)
            Tape.Repeatable(y, [sums], () => ActivationForward(Activation.Gelu, sums, y));
        return Tape.Record(nameof(Linear), y, [x, weight, bias, residual], [x, weight, sums, result], g =>
        {
            g.Set(3, g.Output);
            Tensor dSums = ActivationBackward(activation, sums, result, g.Output);
            if (g.Needs(0))
            {
                Tensor dx = x.EmptyLike(x.Shape);
                if (x.Device.IsCuda) Kernels.Cuda.Gemm.Run(StreamOf(x), rows, k, n, new Matrix(dSums.DevicePointer<float>(), n, 1), new Matrix(weight.DevicePointer<float>(), k, 1), dx.DevicePointer<float>(), k, default, precision);
                else Gemm.Run(rows, k, n, new Matrix(dSums.Pointer<float>(), n, 1), new Matrix(weight.Pointer<float>(), k, 1), dx.Pointer<float>(), k, default);
                g.Set(0, dx);
            }
            if (g.Needs(1))
            {
                Tensor dWeight = x.EmptyLike(weight.Shape);
                if (x.Device.IsCuda) Kernels.Cuda.Gemm.Run(StreamOf(x), n, k, rows, new Matrix(dSums.DevicePointer<float>(), 1, n), new Matrix(x.DevicePointer<float>(), k, 1), dWeight.DevicePointer<float>(), k, default, precision);
                else Gemm.Run(n, k, rows, new Matrix(dSums.Pointer<float>(), 1, n), new Matrix(x.Pointer<float>(), k, 1), dWeight.Pointer<float>(), k, default);
                g.Set(1, dWeight);
            }
            if (g.Needs(2))
            {
                Tensor dBias = x.EmptyLike([n]);
                if (x.Device.IsCuda) Kernels.Cuda.ColumnSum.Run(StreamOf(x), dSums.DevicePointer<float>(), rows, n, dBias.DevicePointer<float>());
                else ColumnSum.Run(dSums.Pointer<float>(), rows, n, dBias.Pointer<float>(), accumulate: false);
                g.Set(2, dBias);
            }
        });
    }

    /// <summary>Packs a weight for <see cref="Linear"/>; worthwhile where it is used many times unchanged.</summary>
    public static PackedMatrix PackLinear(Tensor weight)
    {
        int n = weight.Shape[0], k = checked((int)(weight.Count / n));
        return PackedMatrix.Pack(new Matrix(weight.Pointer<float>(), 1, k), k, n);
    }

    /// <summary>Packs a weight on a GPU for <see cref="Linear"/> in a precision; worthwhile where it is used many times unchanged.</summary>
    /// <param name="weight">The weight.</param>
    /// <param name="precision">Of the products.</param>
    /// <param name="forRounded">For <see cref="LinearRounded"/>, whose input has that precision already.</param>
    /// <param name="packed">What an earlier call returned for this weight, to be overwritten; null makes a new one.</param>
    /// <returns>The packed weight, or null where that is of no use.</returns>
    public static Tensor? PackLinearOnGpu(Tensor weight, ProductPrecision precision, bool forRounded, Tensor? packed = null)
    {
        if (!weight.Device.IsCuda || !Kernels.Cuda.GemmHopper.TakesPacked(CudaDevice.Of(weight.Device), precision)) return null;
        int n = weight.Shape[0], k = checked((int)(weight.Count / n));
        packed ??= Tensor.Empty([checked((int)Kernels.Cuda.GemmHopper.PackedBytes(k, n))], DType.U8, weight.Device);
        Kernels.Cuda.GemmHopper.Pack(StreamOf(weight), new Matrix(weight.DevicePointer<float>(), 1, k), k, n, packed.DevicePointer<byte>(), precision, forRounded);
        return packed;
    }

    private static void LinearForward(Tensor x, Tensor weight, Tensor? bias, Activation activation, Tensor? residual, Tensor? sums, PackedMatrix? packed, Tensor? packedOnGpu, ProductPrecision precision, Tensor y)
    {
        int k = x.Shape[-1], n = y.Shape[-1], rows = checked((int)(y.Count / Math.Max(1, n)));
        bool cuda = x.Device.IsCuda;
        Epilogue epilogue = new()
        {
            Bias = cuda ? bias.DevicePointer<float>() : bias is null ? null : bias.Pointer<float>(),
            Activation = activation,
            Residual = cuda ? residual.DevicePointer<float>() : residual is null ? null : residual.Pointer<float>(),
            ResidualStride = n,
            PreActivation = cuda ? sums.DevicePointer<float>() : sums is null ? null : sums.Pointer<float>(),
        };
        if (cuda) Kernels.Cuda.Gemm.Run(StreamOf(x), rows, n, k, new Matrix(x.DevicePointer<float>(), k, 1), new Matrix(weight.DevicePointer<float>(), 1, k), y.DevicePointer<float>(), n, epilogue, precision, packedOnGpu.DevicePointer<byte>());
        else if (packed is not null) Gemm.Run(rows, n, k, new Matrix(x.Pointer<float>(), RowStride(x), 1), packed, y.Pointer<float>(), RowStride(y), epilogue);
        else Gemm.Run(rows, n, k, new Matrix(x.Pointer<float>(), RowStride(x), 1), new Matrix(weight.Pointer<float>(), 1, k), y.Pointer<float>(), RowStride(y), epilogue);
    }

    /// <summary>
    /// Room for rows that a product reads a dozen at a time. Were they a multiple of 4 KiB apart, they would drive each other out of
    /// the caches, for the same columns of all of them share the cache's sets: the third stage's second product took a fifth longer.
    /// </summary>
    private static Tensor EmptyWithGaps(Shape shape)
    {
        const int Gap = 16, FloatsPerPage = 1024;
        int n = shape[-1];
        return n % FloatsPerPage == 0 ? Tensor.Empty(shape.With(-1, n + Gap)).ViewSlice(-1, 0, n) : Tensor.Empty(shape);
    }

    /// <summary>The distance of the rows of x if it is the same between all of them and their columns are adjacent, otherwise 0.</summary>
    private static nint RowStride(Tensor x)
    {
        if (x.IsContiguous) return x.Shape[-1];
        if (x.Stride(x.Rank - 1) != 1) return 0;
        for (int axis = x.Rank - 3; axis >= 0; axis--)
            if (x.Shape[axis] != 1 && x.Stride(axis) != x.Stride(axis + 1) * x.Shape[axis + 1]) return 0;
        return (nint)x.Stride(x.Rank - 2);
    }

    internal static Tensor LinearComposed(Tensor x, Tensor weight, Tensor? bias, Activation activation, Tensor? residual)
    {
        Tensor matrix = Permute(Reshape(weight, [weight.Shape[0], x.Shape[-1]]), 1, 0);
        Tensor y = x.Rank == 1 ? Reshape(MatMul(Reshape(x, [1, x.Shape[0]]), matrix), [weight.Shape[0]]) : MatMul(x, matrix);
        if (bias is not null) y = Add(y, bias);
        y = Activate(y, activation);
        return residual is null ? y : Add(y, residual);
    }

    private static Tensor Activate(Tensor y, Activation activation) => activation switch
    {
        Activation.Relu => Relu(y),
        Activation.Gelu => Gelu(y),
        Activation.Tanh => Tanh(y),
        Activation.Sigmoid => Sigmoid(y),
        _ => y,
    };
}
