using Lavt.Autograd;
using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>
/// A training step on a GPU as one CUDA graph for each set of shapes: forward and backward pass (<see cref="CapturedGradients"/>), the check of
/// gradients whose loss was scaled, and AdamW, with the bits that they have one by one. What changes from step to step, the learning
/// rate, is written into memory of the GPU before the graph is launched; the numbers of steps and the scale of the loss are counted there.
/// </summary>
/// <remarks>For one thread, one GPU, and batches that are not divided. Moments may be set before the first step, not between steps.</remarks>
public sealed class CapturedStep : IDisposable
{
    private readonly CapturedGradients _graph;
    private readonly AdamW _optimizer;

    /// <summary>A step that has not run.</summary>
    /// <param name="device">The GPU.</param>
    /// <param name="state">The parameters and buffers of the model, as <see cref="CapturedGradients"/> takes them.</param>
    /// <param name="optimizer">Changes the parameters.</param>
    /// <param name="scaler">Scales the loss, for products in float16; null without.</param>
    public CapturedStep(Device device, IEnumerable<Tensor> state, AdamW optimizer, LossScaler? scaler = null)
    {
        _optimizer = optimizer;
        _graph = new CapturedGradients(device, state, () => optimizer.StepPrepared(scaler), scaler is null ? null : () => scaler.Seed(1));
    }

    /// <summary>Makes a step.</summary>
    /// <returns>The loss, for what is launched before the next step.</returns>
    /// <inheritdoc cref="CapturedGradients.Run"/>
    public Tensor Run(Func<Tensor[], Tensor> loss, params Tensor[] arguments)
    {
        _optimizer.Prepare(gradientScale: 1);
        return _graph.Run(loss, arguments);
    }

    /// <summary>Gives the graphs and their memory back.</summary>
    public void Dispose() => _graph.Dispose();
}
