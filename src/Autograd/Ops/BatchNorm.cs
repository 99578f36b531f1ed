using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// Batch normalisation over all axes but the last (Ioffe and Szegedy, 2015), optionally followed by ReLU. In training
    /// the batch's statistics are used and the running ones move by <paramref name="momentum"/> (unbiased variance); in
    /// evaluation the running ones are used. Where devices share a batch (<see cref="BatchShare"/>), the statistics are those
    /// of the whole batch, and so are the gradients of <paramref name="x"/>.
    /// </summary>
    /// <param name="x">[..., C].</param>
    /// <param name="gamma">[C].</param>
    /// <param name="beta">[C].</param>
    /// <param name="runningMean">[C], changed in training.</param>
    /// <param name="runningVariance">[C], changed in training.</param>
    /// <param name="training">Which statistics to use.</param>
    /// <param name="relu">Cuts the result off below 0.</param>
    /// <param name="momentum">The weight of the batch in the running statistics.</param>
    /// <param name="eps">Added to the variance.</param>
    public static Tensor BatchNorm(Tensor x, Tensor gamma, Tensor beta, Tensor runningMean, Tensor runningVariance, bool training, bool relu = false, double momentum = 0.1, double eps = 1e-5)
    {
        CheckFloat(nameof(BatchNorm), x);
        int channels = x.Shape[-1];
        if (gamma.Count != channels) throw new ArgumentException($"BatchNorm: {x} needs {channels} channels of gamma, got {gamma.Count}");
        if (x.DType == DType.F64)
        {
            if (training) MoveRunningStatistics(x, runningMean, runningVariance, momentum);
            return BatchNormComposed(x, gamma, beta, runningMean, runningVariance, training, relu, eps);
        }
        (x, gamma, beta) = (Contiguous(x), Contiguous(gamma), Contiguous(beta));
        long rows = x.Count / Math.Max(1, channels);
        Kernels.IDeviceSum? sum = BatchShare.Current?.Sum;
        if (training && rows < 2 && sum is null)
            throw new ArgumentException($"BatchNorm in training needs more than one value per channel, got {x}; use a larger batch or picture");
        Tensor y = x.EmptyLike(x.Shape), mean = x.EmptyLike([channels]), rstd = x.EmptyLike([channels]);
        if (x.Device.IsCuda && training)
            Kernels.Cuda.BatchNorm.ForwardTraining(StreamOf(x), x.DevicePointer<float>(), gamma.DevicePointer<float>(), beta.DevicePointer<float>(), y.DevicePointer<float>(), mean.DevicePointer<float>(), rstd.DevicePointer<float>(), runningMean.DevicePointer<float>(), runningVariance.DevicePointer<float>(), rows, channels, (float)momentum, (float)eps, relu, sum);
        else if (x.Device.IsCuda)
            Kernels.Cuda.BatchNorm.ForwardEvaluation(StreamOf(x), x.DevicePointer<float>(), gamma.DevicePointer<float>(), beta.DevicePointer<float>(), y.DevicePointer<float>(), mean.DevicePointer<float>(), rstd.DevicePointer<float>(), runningMean.DevicePointer<float>(), runningVariance.DevicePointer<float>(), rows, channels, (float)eps, relu);
        else if (training)
            Kernels.Cpu.BatchNorm.ForwardTraining(x.Pointer<float>(), gamma.Pointer<float>(), beta.Pointer<float>(), y.Pointer<float>(), mean.Pointer<float>(), rstd.Pointer<float>(), runningMean.Pointer<float>(), runningVariance.Pointer<float>(), rows, channels, (float)momentum, (float)eps, relu, sum);
        else
            Kernels.Cpu.BatchNorm.ForwardEvaluation(x.Pointer<float>(), gamma.Pointer<float>(), beta.Pointer<float>(), y.Pointer<float>(), mean.Pointer<float>(), rstd.Pointer<float>(), runningMean.Pointer<float>(), runningVariance.Pointer<float>(), rows, channels, (float)eps, relu);
        if (Tape.Needs(x, gamma, beta))
            Tape.Repeatable(y, [x, gamma, beta, mean, rstd], () =>
            {
                if (x.Device.IsCuda) Kernels.Cuda.BatchNorm.Repeat(StreamOf(x), x.DevicePointer<float>(), gamma.DevicePointer<float>(), beta.DevicePointer<float>(), y.DevicePointer<float>(), mean.DevicePointer<float>(), rstd.DevicePointer<float>(), rows, channels, relu);
                else Kernels.Cpu.BatchNorm.Repeat(x.Pointer<float>(), gamma.Pointer<float>(), beta.Pointer<float>(), y.Pointer<float>(), mean.Pointer<float>(), rstd.Pointer<float>(), rows, channels, relu);
            });
        return Tape.Record(nameof(BatchNorm), y, [x, gamma, beta], [x, gamma, beta, mean, rstd], g =>
        {
            Tensor dx = x.EmptyLike(x.Shape), dGamma = x.EmptyLike([channels]), dBeta = x.EmptyLike([channels]);
            if (x.Device.IsCuda) Kernels.Cuda.BatchNorm.Backward(StreamOf(x), x.DevicePointer<float>(), gamma.DevicePointer<float>(), relu ? beta.DevicePointer<float>() : null, mean.DevicePointer<float>(), rstd.DevicePointer<float>(), g.Output.DevicePointer<float>(), dx.DevicePointer<float>(), dGamma.DevicePointer<float>(), dBeta.DevicePointer<float>(), rows, channels, training, sum);
            else Kernels.Cpu.BatchNorm.Backward(x.Pointer<float>(), gamma.Pointer<float>(), relu ? beta.Pointer<float>() : null, mean.Pointer<float>(), rstd.Pointer<float>(), g.Output.Pointer<float>(), dx.Pointer<float>(), dGamma.Pointer<float>(), dBeta.Pointer<float>(), rows, channels, training, sum);
            g.Set(0, dx);
            g.Set(1, dGamma);
            g.Set(2, dBeta);
        });
    }

    private static void MoveRunningStatistics(Tensor x, Tensor runningMean, Tensor runningVariance, double momentum)
    {
        using Tape.PauseScope pause = Tape.Pause();
        (Tensor mean, Tensor squares, _, double count) = Moments(Reshape(x, [checked((int)(x.Count / x.Shape[-1])), x.Shape[-1]]));
        Tensor variance = Scale(squares, 1 / (count - 1));
        runningMean.CopyFrom(Reshape(Add(Scale(runningMean, 1 - momentum), Scale(mean, momentum)), runningMean.Shape));
        runningVariance.CopyFrom(Reshape(Add(Scale(runningVariance, 1 - momentum), Scale(variance, momentum)), runningVariance.Shape));
    }

    internal static Tensor BatchNormComposed(Tensor x, Tensor gamma, Tensor beta, Tensor runningMean, Tensor runningVariance, bool training, bool relu, double eps)
    {
        Tensor rows = Reshape(x, [checked((int)(x.Count / x.Shape[-1])), x.Shape[-1]]);
        Tensor normal = training
            ? NormaliseOverDevices(rows, eps)
            : Divide(Subtract(rows, runningMean), Sqrt(AddScalar(runningVariance, eps)));
        Tensor y = Reshape(Add(Multiply(normal, gamma), beta), x.Shape);
        return relu ? Relu(y) : y;
    }

    private static Tensor NormaliseOverDevices(Tensor rows, double eps)
    {
        (_, Tensor squares, Tensor centred, double count) = Moments(rows);
        return Divide(centred, Sqrt(AddScalar(Scale(squares, 1 / count), eps)));
    }

    /// <summary>Statistics of the columns over the rows of all devices: means, Σ (x − mean)², x − mean of this device, and the number of rows.</summary>
    private static (Tensor Mean, Tensor Squares, Tensor Centred, double Count) Moments(Tensor rows)
    {
        double count = SumOverDevices(Tensor.Scalar((double)rows.Shape[0])).Item<double>();
        Tensor mean = Scale(SumOverDevices(Sum(rows, 0)), 1 / count), centred = Subtract(rows, mean);
        return (mean, SumOverDevices(Sum(Multiply(centred, centred), 0)), centred, count);
    }
}
