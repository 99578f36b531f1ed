using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>
/// The forward and backward pass of a loss on a GPU as one CUDA graph for each set of shapes (<see cref="CapturedFunction{TResult}"/>): the
/// gradients of the parameters are added up in memory that stays where it is. Every pass draws the random numbers that it would
/// draw without a graph, and counts what batch norm counts.
/// </summary>
/// <remarks>For one thread, one GPU, and batches that are not divided. The model stays in the mode that it is in.</remarks>
public sealed class CapturedGradients : IDisposable
{
    private readonly CapturedFunction<Tensor> _pass;
    private readonly Tensor[] _parameters;
    private readonly Tensor?[] _gradients;
    private readonly Tensor[] _counters;
    private readonly long[] _counts;
    private readonly Device _device;
    private readonly Func<Tensor>? _seedGradient;
    private readonly Action? _behind;
    private ulong _seed;
    private ulong _streams;
    private bool _hasRun;

    /// <summary>A pass that has not run.</summary>
    /// <param name="device">The GPU.</param>
    /// <param name="state">The parameters and buffers of the model; those of I64 on the host are counters, which every pass raises by the same number.</param>
    /// <param name="seedGradient">Makes, on the GPU, the gradient to begin the backward pass with, such as the scale of a loss scaler; null for 1.</param>
    /// <param name="behind">Launches, as a part of the graph, what follows the backward pass, such as the step of an optimizer.</param>
    public CapturedGradients(Device device, IEnumerable<Tensor> state, Func<Tensor>? seedGradient = null, Action? behind = null)
    {
        Tensor[] all = [.. state.Distinct()];
        _device = device;
        _seedGradient = seedGradient;
        _behind = behind;
        _parameters = [.. all.Where(tensor => tensor.RequiresGradient())];
        _gradients = new Tensor?[_parameters.Length];
        _counters = [.. all.Where(tensor => tensor.DType == DType.I64 && tensor.Device == Device.Cpu && tensor.Count == 1)];
        _counts = new long[_counters.Length];
        _pass = new CapturedFunction<Tensor>(device, all, (loss, replace) => replace(loss));
    }

    /// <summary>
    /// The loss for these arguments, which are on the host or the GPU; the parameters have its gradients afterwards, in place of
    /// those they had. Both are for what is launched before the next call.
    /// </summary>
    /// <param name="loss">Computes a scalar from the arguments on the GPU, the same way at every call.</param>
    /// <param name="arguments">The arguments.</param>
    /// <exception cref="InvalidOperationException">The seed of the random numbers is another than in the pass before.</exception>
    public Tensor Run(Func<Tensor[], Tensor> loss, params Tensor[] arguments)
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
                return Differentiate(loss, there, random);
            },
            default, [first, .. arguments]);
        for (int i = 0; i < _counters.Length && isReplayed; i++) _counters[i].Span<long>()[0] += _counts[i];
        for (int i = 0; i < _parameters.Length; i++)
            if (_gradients[i] is { } gradient && _parameters[i].Gradient() != gradient) _parameters[i].ReplaceGradient(gradient);
        random.Next += _streams;
        if (!_hasRun) KeepGradients();
        _hasRun = true;
        return result;
    }

    /// <summary>Gives the graphs, the gradients and their memory back.</summary>
    public void Dispose()
    {
        _pass.Dispose();
        for (int i = 0; i < _parameters.Length; i++)
        {
            if (_gradients[i] is not { } gradient) continue;
            if (_parameters[i].Gradient() == gradient) _parameters[i].ClearGradient();
            gradient.Storage.ReleaseReference();
        }
    }

    /// <summary>Runs forwards and backwards with streams of random numbers that count from the first argument.</summary>
    private Tensor Differentiate(Func<Tensor[], Tensor> loss, Tensor[] arguments, RandomSource random)
    {
        using MemoryScope scope = MemoryScope.Begin();
        long[] counted = [.. _counters.Select(counter => counter.Item<long>())];
        RandomSource relative = new(random.Seed);
        Generator.Current = relative;
        Generator.FirstStreamOnDevice = arguments[0].Address;
        Begin();
        try
        {
            Tensor value;
            using (Tape tape = Tape.Begin())
            {
                value = loss(arguments[1..]);
                tape.Backward(value, _seedGradient?.Invoke());
            }
            _behind?.Invoke();
            return scope.Return(value.Detach());
        }
        finally
        {
            End();
            Generator.FirstStreamOnDevice = 0;
            Generator.Current = random;
            _streams = relative.Next;
            for (int i = 0; i < _counters.Length; i++) _counts[i] = _counters[i].Item<long>() - counted[i];
        }
    }

    /// <summary>Takes memory for the gradients that the first pass has found.</summary>
    private void KeepGradients()
    {
        using MemoryScope scope = MemoryScope.Begin();
        for (int i = 0; i < _parameters.Length; i++)
            if (_parameters[i].Gradient() is not null) _gradients[i] ??= Tensor.Empty(_parameters[i].Shape, DType.F32, _device).Persist();
    }

    /// <summary>Gradients begin at 0. While they are added up they belong to the parameters alone, for only then is that done in place.</summary>
    private void Begin()
    {
        for (int i = 0; i < _parameters.Length; i++)
        {
            if (_gradients[i] is not { } gradient)
            {
                _parameters[i].ClearGradient();
                continue;
            }
            DeviceMemory.Of(_device).Clear(gradient.Address, gradient.Storage.Bytes);
            if (_parameters[i].Gradient() != gradient) _parameters[i].ReplaceGradient(gradient);
            gradient.Storage.ReleaseReference();
        }
    }

    private void End()
    {
        foreach (Tensor? gradient in _gradients) gradient?.Storage.Retain();
    }
}
