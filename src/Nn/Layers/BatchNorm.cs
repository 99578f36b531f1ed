using Lavt.Autograd;
using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>Batch normalisation over all axes but the last; see <see cref="Ops.BatchNorm"/>.</summary>
public sealed class BatchNorm : Module
{
    /// <summary>The epsilon that PyTorch uses.</summary>
    public const double Epsilon = 1e-5;

    private readonly Tensor _batches;

    /// <summary>A norm of <paramref name="channels"/> channels, scale 1 and shift 0.</summary>
    public BatchNorm(int channels)
    {
        Weight = AddParameter("weight", [channels]);
        Bias = AddParameter("bias", [channels]);
        RunningMean = AddBuffer("running_mean", Tensor.Zeros([channels]));
        RunningVariance = AddBuffer("running_var", Tensor.Zeros([channels]));
        _batches = AddBuffer("num_batches_tracked", Tensor.Zeros([], DType.I64));
        Init.Constant(Weight, 1);
        Init.Constant(RunningVariance, 1);
    }

    /// <summary>The scale, [C].</summary>
    public Tensor Weight { get; }

    /// <summary>The shift, [C].</summary>
    public Tensor Bias { get; }

    /// <summary>Mean over the batches seen, [C].</summary>
    public Tensor RunningMean { get; }

    /// <summary>Unbiased variance over the batches seen, [C].</summary>
    public Tensor RunningVariance { get; }

    /// <summary>[..., C] to [..., C], with ReLU behind it if asked for.</summary>
    public Tensor Forward(Tensor x, bool relu = false)
    {
        if (Training) _batches.Span<long>()[0]++;
        return Ops.BatchNorm(x, Weight, Bias, RunningMean, RunningVariance, Training, relu, eps: Epsilon);
    }
}
