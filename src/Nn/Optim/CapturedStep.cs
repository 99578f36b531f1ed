using Lavt.Autograd;
using Lavt.Nn.Parallel;
using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>
/// Training steps on a GPU as CUDA graphs, one for each part of a step and each set of shapes: forward and backward pass (<see cref="CapturedGradients"/>)
/// and, behind those of the last part, the check of gradients whose loss was scaled, and AdamW, with the bits that they have one by one. What changes
/// from step to step, the learning rate and the shares of the parts, is written into memory of the GPU before a graph is launched; the numbers of steps
/// and the scale of the loss are counted there.
/// </summary>
/// <remarks>For one thread and one GPU. Moments may be set before the first step, not between steps.</remarks>
public sealed class CapturedStep : IDisposable
{
    private readonly CapturedGradients _graphs;
    private readonly AdamW _optimizer;
    private readonly LossScaler? _scaler;
    private readonly LateScalars _losses = new();

    /// <summary>The gradients of the parts so far, of steps that have several.</summary>
    private readonly Dictionary<Tensor, Tensor> _sums = [];
    private (int Number, int Count) _part;

    /// <summary>Steps that were not made yet.</summary>
    /// <param name="device">The GPU.</param>
    /// <param name="state">The parameters and buffers of the model, as <see cref="CapturedGradients"/> takes them.</param>
    /// <param name="optimizer">Changes the parameters.</param>
    /// <param name="scaler">Scales the loss, for products in float16; null without.</param>
    public CapturedStep(Device device, IEnumerable<Tensor> state, AdamW optimizer, LossScaler? scaler = null)
    {
        (_optimizer, _scaler) = (optimizer, scaler);
        // What a part counts in the mean is the last argument.
        _graphs = new CapturedGradients(device, state, UseGradients, there => scaler is null ? there[^1] : Ops.Multiply(scaler.Seed(1), there[^1]));
    }

    /// <summary>Makes a step of a batch that is computed in parts, one after the other, as <see cref="DataParallel.AddGradients"/> and <see cref="DataParallel.Step"/> do.</summary>
    /// <param name="parts">The number of parts.</param>
    /// <param name="samples">The samples of a part.</param>
    /// <param name="next">Makes the arguments of a part, and what its mean is divided by, such as the number of samples; any number if there is one part.</param>
    /// <param name="loss">Computes the loss of a part from its arguments on the GPU, the same way at every call.</param>
    /// <returns>The mean loss of the whole batch, which the GPU may still compute.</returns>
    public StepLoss Run(int parts, int samples, Func<int, (Tensor[] Arguments, double Weight)> next, Func<Tensor[], Tensor> loss)
    {
        ArgumentNullException.ThrowIfNull(next);
        RandomSource random = Generator.Current;
        ulong stream = random.Next;
        StepParts counted = new(parts);
        try
        {
            for (int part = 0; part < parts; part++)
            {
                random.Next = stream;
                BatchShare.Current = parts == 1 ? null : new BatchShare((long)part * samples, samples, null);
                using MemoryScope scope = MemoryScope.Begin();
                (Tensor[] arguments, double weight) = next(part);
                double share = counted.ShareOf(weight, weight);
                if (part == parts - 1) _optimizer.Prepare(counted.Scale);
                _part = (part, parts);
                counted.Add(share, _losses.Of(_graphs.Run(there => Loss(loss, there), _part, [.. arguments, Tensor.From([(float)share], [])])));
            }
        }
        finally
        {
            BatchShare.Current = null;
        }
        return new StepLoss(() => counted.ReadLoss() * counted.Scale);
    }

    /// <summary>Gives the graphs and their memory back.</summary>
    public void Dispose()
    {
        _graphs.Dispose();
        foreach (Tensor sum in _sums.Values) sum.Discard();
        _sums.Clear();
    }

    /// <summary>The loss, whose gradients are added to those of the parts before.</summary>
    private Tensor Loss(Func<Tensor[], Tensor> loss, Tensor[] arguments)
    {
        if (_part.Number > 0)
            foreach ((Tensor parameter, Tensor sum) in _sums) parameter.ReplaceGradient(sum);
        return loss(arguments[..^1]);
    }

    private void UseGradients()
    {
        if (_part.Number == _part.Count - 1)
        {
            _optimizer.StepPrepared(_scaler);
            return;
        }
        foreach ((_, Tensor parameter) in _optimizer.Parameters)
        {
            if (parameter.Gradient() is not { } gradient) continue;
            if (!_sums.TryGetValue(parameter, out Tensor? sum)) _sums[parameter] = sum = gradient.EmptyLike(gradient.Shape).Persist();
            sum.CopyFrom(gradient);
        }
    }
}
