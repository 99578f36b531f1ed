using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>
/// The forward and backward pass of a loss on a GPU, and what uses its gradients, as one CUDA graph for each set of shapes
/// (<see cref="CapturedFunction{TResult}"/>). Gradients live inside the graph alone. Every pass draws the random numbers that it
/// would draw without a graph, and counts what batch norm counts.
/// </summary>
/// <remarks>For one thread and one GPU. The model stays in the mode that it is in.</remarks>
public sealed class CapturedGradients : IDisposable
{
    private readonly CapturedFunction<Tensor> _pass;
    private readonly Tensor[] _parameters;
    private readonly Tensor[] _counters;
    private readonly long[] _counts;
    private readonly Action _use;
    private readonly Func<Tensor[], Tensor>? _seedGradient;
    private ulong _seed;
    private ulong _streams;
    private bool _hasRun;

    /// <summary>A pass that has not run.</summary>
    /// <param name="device">The GPU.</param>
    /// <param name="state">The parameters and buffers of the model; those of I64 on the host are counters, which every pass raises by the same number.</param>
    /// <param name="use">Launches what uses the gradients of the parameters, such as the step of an optimizer; they are forgotten behind it.</param>
    /// <param name="seedGradient">Makes of the arguments, on the GPU, the gradient to begin the backward pass with, such as the scale of a loss scaler; null for 1.</param>
    public CapturedGradients(Device device, IEnumerable<Tensor> state, Action use, Func<Tensor[], Tensor>? seedGradient = null)
    {
        Tensor[] all = [.. state.Distinct()];
        _use = use;
        _seedGradient = seedGradient;
        _parameters = [.. all.Where(tensor => tensor.RequiresGradient())];
        _counters = [.. all.Where(tensor => tensor.DType == DType.I64 && tensor.Device == Device.Cpu && tensor.Count == 1)];
        _counts = new long[_counters.Length];
        _pass = new CapturedFunction<Tensor>(device, all, (loss, replace) => replace(loss));
    }

    /// <summary>
    /// The loss for these arguments, which are on the host or the GPU, for what is launched before the next call; its gradients were used.
    /// The parameters have none afterwards.
    /// </summary>
    /// <param name="loss">Computes a scalar from the arguments on the GPU, the same way at every call.</param>
    /// <param name="variant">What the pass and the use of its gradients depend on besides the shapes of the arguments.</param>
    /// <param name="arguments">The arguments.</param>
    /// <exception cref="InvalidOperationException">The seed of the random numbers is another than in the pass before.</exception>
    public Tensor Run(Func<Tensor[], Tensor> loss, (int, int) variant, params Tensor[] arguments)
    {
        RandomSource random = Generator.Current;
        if (_hasRun && random.Seed != _seed) throw new InvalidOperationException($"the graph draws random numbers of seed {_seed}, now they should be of seed {random.Seed}; make another {nameof(CapturedGradients)}");
        _seed = random.Seed;
        Tensor first = Tensor.From([(long)random.Next], [1]);
        bool isReplayed = true;
        Tensor result = _pass.Run(
            there =>
            {
                isReplayed = false;
                return Differentiate(loss, there[0], there[1..], random);
            },
            variant, [first, .. arguments]);
        for (int i = 0; i < _counters.Length && isReplayed; i++) _counters[i].Span<long>()[0] += _counts[i];
        random.Next += _streams;
        _hasRun = true;
        return result;
    }

    /// <summary>Gives the graphs and their memory back.</summary>
    public void Dispose() => _pass.Dispose();

    /// <summary>Runs forwards and backwards with streams of random numbers that count from a number on the GPU.</summary>
    private Tensor Differentiate(Func<Tensor[], Tensor> loss, Tensor firstStream, Tensor[] arguments, RandomSource random)
    {
        using MemoryScope scope = MemoryScope.Begin();
        long[] counted = [.. _counters.Select(counter => counter.Item<long>())];
        RandomSource relative = new(random.Seed);
        Generator.Current = relative;
        Generator.FirstStreamOnDevice = firstStream.Address;
        ClearGradients();
        try
        {
            Tensor value;
            using (Tape tape = Tape.Begin())
            {
                value = loss(arguments);
                tape.Backward(value, _seedGradient?.Invoke(arguments));
            }
            _use();
            return scope.Return(value.Detach());
        }
        finally
        {
            ClearGradients();
            Generator.FirstStreamOnDevice = 0;
            Generator.Current = random;
            _streams = relative.Next;
            for (int i = 0; i < _counters.Length; i++) _counts[i] = _counters[i].Item<long>() - counted[i];
        }
    }

    private void ClearGradients()
    {
        foreach (Tensor parameter in _parameters) parameter.ClearGradient();
    }
}
