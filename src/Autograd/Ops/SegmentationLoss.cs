using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>
/// The losses of LAVT and LAVT-RS: of logits [B, H, W, 2], background before foreground, and target masks U8 [B, H, W] of 0
/// and 1; results are scalars.
/// </summary>
public static unsafe partial class Ops
{
    private delegate void LossKernel(float* logits, byte* target, out double loss, float* dLogits);

    private delegate void CudaLossKernel(CudaStream stream, float* logits, byte* target, float* loss, float* dLogits);

    /// <summary>
    /// Cross entropy with the weights 0.9 of background and 1.1 of foreground pixels: Σ w·(−ln p) / Σ w, p the softmax
    /// probability of the pixel's class.
    /// </summary>
    /// <param name="logits">[B, H, W, 2], F32 or F64.</param>
    /// <param name="target">U8 [B, H, W], 0 or 1.</param>
    /// <exception cref="ArgumentException">Shapes, types or target values are not as described.</exception>
    public static Tensor CrossEntropyLoss(Tensor logits, Tensor target)
    {
        CheckLoss(nameof(CrossEntropyLoss), logits, target);
        if (logits.DType == DType.F64) return CrossEntropyLossComposed(logits, target);
        (int batch, long pixels) = (logits.Shape[0], (long)logits.Shape[1] * logits.Shape[2]);
        return Loss(nameof(CrossEntropyLoss), logits, target, (float* x, byte* t, out double loss, float* dx) =>
            Kernels.Cpu.CrossEntropyLoss.Run(x, t, batch, pixels, out loss, dx),
            (stream, x, t, loss, dx) => Kernels.Cuda.Losses.CrossEntropy(stream, x, t, batch * pixels, loss, dx));
    }

    /// <summary>Σ w, the divisor of <see cref="CrossEntropyLoss"/>, of a target U8 of 0 and 1; waits for a GPU.</summary>
    public static double CrossEntropyWeight(Tensor target)
    {
        target = Contiguous(To(target, Device.Cpu));
        return Kernels.Cpu.CrossEntropyLoss.TotalWeight(target.Pointer<byte>(), target.Count);
    }

    /// <summary>
    /// The mean over samples and both classes of 1 − 2·Σpt / (Σp² + Σt + 1e-6), p the softmax probabilities and t the
    /// one-hot target.
    /// </summary>
    /// <inheritdoc cref="CrossEntropyLoss"/>
    public static Tensor MultiClassDiceLoss(Tensor logits, Tensor target)
    {
        CheckLoss(nameof(MultiClassDiceLoss), logits, target);
        if (logits.DType == DType.F64) return DiceFocalLossComposed(logits, target, 0, 1);
        (int batch, long pixels) = (logits.Shape[0], (long)logits.Shape[1] * logits.Shape[2]);
        return Loss(nameof(MultiClassDiceLoss), logits, target, (float* x, byte* t, out double loss, float* dx) =>
            Kernels.Cpu.MultiClassDiceLoss.Run(x, t, batch, pixels, out loss, dx),
            (stream, x, t, loss, dx) => Kernels.Cuda.Losses.DiceFocal(stream, x, t, batch, pixels, 0, 1, loss, dx));
    }

    /// <summary>
    /// diceRate · <see cref="MultiClassDiceLoss"/> + focalRate · a focal loss: with q the probability of the pixel's class,
    /// the mean over pixels and both classes of −0.25·(1 − q)²·ln(q + 1e-5) for this class and −0.25·(1 − q)²·ln(1 − q + 1e-5)
    /// for the other one, as published with LAVT-RS.
    /// </summary>
    /// <param name="logits">[B, H, W, 2], F32 or F64.</param>
    /// <param name="target">U8 [B, H, W], 0 or 1.</param>
    /// <param name="focalRate">The factor of the focal loss.</param>
    /// <param name="diceRate">The factor of the Dice loss.</param>
    /// <exception cref="ArgumentException">Shapes, types or target values are not as described.</exception>
    public static Tensor DiceFocalLoss(Tensor logits, Tensor target, double focalRate = 3, double diceRate = 1)
    {
        CheckLoss(nameof(DiceFocalLoss), logits, target);
        if (logits.DType == DType.F64) return DiceFocalLossComposed(logits, target, focalRate, diceRate);
        (int batch, long pixels) = (logits.Shape[0], (long)logits.Shape[1] * logits.Shape[2]);
        return Loss(nameof(DiceFocalLoss), logits, target, (float* x, byte* t, out double loss, float* dx) =>
            Kernels.Cpu.DiceFocalLoss.Run(x, t, batch, pixels, focalRate, diceRate, out loss, dx),
            (stream, x, t, loss, dx) => Kernels.Cuda.Losses.DiceFocal(stream, x, t, batch, pixels, focalRate, diceRate, loss, dx));
    }

    /// <summary>
    /// diceRate · <see cref="MultiClassDiceLoss"/> + boundaryRate · (1 − F1 of the boundary pixels), after Bokhovkin and
    /// Burnaev, "Boundary loss for remote sensing imagery semantic segmentation" (2019).
    /// </summary>
    /// <param name="logits">[B, H, W, 2], F32 or F64.</param>
    /// <param name="target">U8 [B, H, W], 0 or 1.</param>
    /// <param name="boundaryRate">The factor of the boundary loss.</param>
    /// <param name="diceRate">The factor of the Dice loss.</param>
    /// <exception cref="ArgumentException">Shapes, types or target values are not as described.</exception>
    public static Tensor DiceBoundaryLoss(Tensor logits, Tensor target, double boundaryRate = 0.05, double diceRate = 1)
    {
        CheckLoss(nameof(DiceBoundaryLoss), logits, target);
        if (logits.DType == DType.F64) return DiceBoundaryLossComposed(logits, target, boundaryRate, diceRate);
        (int batch, int height, int width) = (logits.Shape[0], logits.Shape[1], logits.Shape[2]);
        return Loss(nameof(DiceBoundaryLoss), logits, target, (float* x, byte* t, out double loss, float* dx) =>
            Kernels.Cpu.DiceBoundaryLoss.Run(x, t, batch, height, width, boundaryRate, diceRate, out loss, dx),
            (stream, x, t, loss, dx) => Kernels.Cuda.BoundaryLoss.Run(stream, x, t, batch, height, width, boundaryRate, diceRate, loss, dx));
    }

    internal static Tensor CrossEntropyLossComposed(Tensor logits, Tensor target)
    {
        Tensor shifted = Subtract(logits, Max(logits.Detach()));
        Tensor logProbabilities = Subtract(shifted, Log(Sum(Exp(shifted), -1)));
        Tensor weights = Multiply(OneHot(target, logits.DType), ClassWeights(logits.DType));
        return Scale(Divide(Sum(Multiply(weights, logProbabilities)), Sum(weights)), -1);
    }

    internal static Tensor DiceFocalLossComposed(Tensor logits, Tensor target, double focalRate, double diceRate)
    {
        (int batch, int pixels) = (logits.Shape[0], logits.Shape[1] * logits.Shape[2]);
        Tensor p = Reshape(Softmax(logits), [batch, pixels, 2]), t = Reshape(OneHot(target, logits.DType), [batch, pixels, 2]);
        Tensor score = Divide(Scale(Sum(Multiply(p, t), 1), 2), AddScalar(Sum(Add(Multiply(p, p), t), 1), 1e-6));
        Tensor dice = AddScalar(Scale(Sum(score), -1.0 / score.Count), 1);

        Tensor outside = OneMinus(t), right = Add(Multiply(p, t), Multiply(OneMinus(p), outside)), wrong = OneMinus(right);
        Tensor logs = Add(Multiply(t, Log(AddScalar(right, 1e-5))), Multiply(outside, Log(AddScalar(wrong, 1e-5))));
        Tensor focal = Scale(Sum(Multiply(Multiply(wrong, wrong), logs)), -0.25 / logs.Count);
        return Add(Scale(dice, diceRate), Scale(focal, focalRate));
    }

    internal static Tensor DiceBoundaryLossComposed(Tensor logits, Tensor target, double boundaryRate, double diceRate)
    {
        // The boundary of a class: where the largest value of 1 − p nearby exceeds its own; reached within two pixels more.
        Tensor outside = OneMinus(OneHot(target, logits.DType)), unlikely = OneMinus(Softmax(logits));
        Tensor true1 = Subtract(MaxPool(outside, 3), outside), found1 = Subtract(MaxPool(unlikely, 3), unlikely);
        Tensor precision = Divide(SumPixels(Multiply(found1, MaxPool(true1, 5))), AddScalar(SumPixels(found1), 1e-7));
        Tensor recall = Divide(SumPixels(Multiply(MaxPool(found1, 5), true1)), AddScalar(SumPixels(true1), 1e-7));
        Tensor f1 = Divide(Scale(Multiply(precision, recall), 2), AddScalar(Add(precision, recall), 1e-7));
        Tensor boundary = AddScalar(Scale(Sum(f1), -1.0 / f1.Count), 1);
        return Add(DiceFocalLossComposed(logits, target, 0, diceRate), Scale(boundary, boundaryRate));

        static Tensor SumPixels(Tensor map) => Sum(Reshape(map, [map.Shape[0], map.Shape[1] * map.Shape[2], map.Shape[3]]), 1);
    }

    private static Tensor Loss(string operation, Tensor logits, Tensor target, LossKernel kernel, CudaLossKernel cudaKernel)
    {
        logits = Contiguous(logits);
        target = Contiguous(target);
        Tensor? dLogits = Tape.Needs(logits) ? logits.EmptyLike(logits.Shape) : null;
        if (logits.Device.IsCuda)
        {
            // Nothing here waits for the GPU: the loss and the factor of its gradient stay there.
            Tensor onDevice = logits.EmptyLike([]);
            cudaKernel(StreamOf(logits), logits.DevicePointer<float>(), target.DevicePointer<byte>(), onDevice.DevicePointer<float>(), dLogits.DevicePointer<float>());
            return Tape.Record(operation, onDevice, [logits], [dLogits], g => g.Set(0, Multiply(dLogits!, g.Output)));
        }
        kernel(logits.Pointer<float>(), target.Pointer<byte>(), out double loss, dLogits is null ? null : dLogits.Pointer<float>());
        return Tape.Record(operation, Tensor.Scalar((float)loss), [logits], [dLogits], g =>
        {
            float factor = g.Output.Item<float>();
            g.Set(0, factor == 1 ? dLogits! : Scale(dLogits!, factor));
        });
    }

    private static void CheckLoss(string operation, Tensor logits, Tensor target)
    {
        CheckFloat(operation, logits);
        ArgumentNullException.ThrowIfNull(target);
        if (logits.Rank != 4 || logits.Shape[3] != 2 || logits.Count == 0)
            throw new ArgumentException($"{operation} needs logits [B, H, W, 2] of at least one pixel, got {logits}", nameof(logits));
        if (target.DType != DType.U8 || target.Rank != 3 || target.Shape[0] != logits.Shape[0] || target.Shape[1] != logits.Shape[1] || target.Shape[2] != logits.Shape[2])
            throw new ArgumentException($"{operation}: logits {logits.Shape} need a target U8[{logits.Shape[0]}, {logits.Shape[1]}, {logits.Shape[2]}], got {target}; resize one of them", nameof(target));
        // On a GPU, which would have to be waited for, the kernels take whatever is not 0 for 1.
        if (target.Device.IsCuda) return;
        int unknown = Contiguous(target).Span<byte>().IndexOfAnyExceptInRange((byte)0, (byte)1);
        if (unknown >= 0)
            throw new ArgumentException($"{operation}: a target holds 0 and 1 only, got {Contiguous(target).Span<byte>()[unknown]} at pixel {unknown}; turn the mask into classes first", nameof(target));
    }

    private static Tensor OneMinus(Tensor x) => AddScalar(Scale(x, -1), 1);

    /// <summary>[B, H, W] of 0 and 1 to [B, H, W, 2].</summary>
    private static Tensor OneHot(Tensor target, DType dtype)
    {
        Tensor classes = Tensor.Empty([target.Shape[0], target.Shape[1], target.Shape[2], 2], dtype);
        ReadOnlySpan<byte> mask = Contiguous(target).Span<byte>();
        for (int i = 0; i < mask.Length; i++)
            for (int c = 0; c < 2; c++)
            {
                int value = mask[i] == c ? 1 : 0;
                if (dtype == DType.F64) classes.Span<double>()[2 * i + c] = value;
                else classes.Span<float>()[2 * i + c] = value;
            }
        return classes;
    }

    private static Tensor ClassWeights(DType dtype)
    {
        const double Background = Kernels.Cpu.CrossEntropyLoss.BackgroundWeight, Foreground = Kernels.Cpu.CrossEntropyLoss.ForegroundWeight;
        return dtype == DType.F64 ? Tensor.From<double>([Background, Foreground], [2]) : Tensor.From<float>([(float)Background, (float)Foreground], [2]);
    }
}
