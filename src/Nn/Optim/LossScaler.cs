using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>
/// Dynamic loss scaling with PyTorch's constants, for training with products in float16 on a GPU: gradients are computed of the loss
/// times a scale, 2^16 at the start, that is doubled after 2000 good steps and halved when a gradient is not finite; such a step
/// changes nothing. All of it stays on the GPU, and the host waits for nothing.
/// </summary>
/// <remarks>Micikevicius et al., "Mixed precision training", 2018; <c>torch.cuda.amp.GradScaler</c> (facts).</remarks>
public sealed unsafe class LossScaler
{
    /// <summary>The scale at the start.</summary>
    public const double InitialScale = 65536;

    /// <summary>The good steps in a row after which the scale is doubled.</summary>
    public const int GrowthInterval = 2000;

    private readonly Tensor _state;

    /// <summary>A scaler on a GPU.</summary>
    public LossScaler(Device device)
    {
        if (!device.IsCuda) throw new ArgumentException($"losses are scaled for products in float16, which {device} does not compute; leave the scaler out", nameof(device));
        _state = Tensor.Zeros([Kernels.Cuda.LossScaler.StateCount], DType.F64, device).Persist();
        Restore(InitialScale, 0);
    }

    /// <summary>The state for kernels, see <see cref="Kernels.Cuda.LossScaler"/>.</summary>
    internal double* State => _state.DevicePointer<double>();

    private CudaStream Stream => CudaStream.Of(_state.Device);

    /// <summary>The scale, and the good steps since it changed last; waits for the GPU.</summary>
    public (double Scale, int GoodSteps) Read()
    {
        double[] state = _state.ToArray<double>();
        return (state[0], (int)state[1]);
    }

    /// <summary>Goes on from what <see cref="Read"/> gave.</summary>
    public void Restore(double scale, int goodSteps) => _state.CopyFrom(Tensor.From<double>([scale, goodSteps, 0], _state.Shape));

    /// <summary>The gradient to begin a backward pass with: <paramref name="share"/>, what the loss counts in that of the step, times the scale.</summary>
    public Tensor Seed(double share)
    {
        Tensor seed = Tensor.Empty([], DType.F32, _state.Device);
        Kernels.Cuda.LossScaler.Seed(Stream, State, (float)share, seed.DevicePointer<float>());
        return seed;
    }

    /// <summary>Takes note of the gradients of a step; to be called before the step that may have to be skipped.</summary>
    internal void Measure(IReadOnlyList<(nint Address, long Count)> gradients) => Kernels.Cuda.AdamW.SumOfSquares(Stream, gradients, State + Kernels.Cuda.LossScaler.Squares);

    /// <summary>Moves the scale; to be called behind the step.</summary>
    internal void Update() => Kernels.Cuda.LossScaler.Update(Stream, State);
}
