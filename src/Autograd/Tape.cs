using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>
/// Records the operations of a forward pass on one thread and plays them backwards (reverse-mode differentiation). The
/// tape holds just the tensors that the backward rules need and lets go of each as soon as its rule has run; results that
/// are cheap to compute again (<see cref="Repeatable"/>) it does not hold at all.
/// </summary>
/// <example><code>
/// using Tape tape = Tape.Begin();
/// Tensor loss = model.Loss(batch);
/// tape.Backward(loss);
/// </code></example>
public sealed class Tape : IDisposable
{
    /// <summary>How many results may be computed from each other again for one rule; the next one in a chain is kept, for chains cost their length with every rule.</summary>
    private const int LongestChain = 4;

    [ThreadStatic]
    private static Tape? t_current;

    private readonly List<Entry> _entries = [];
    private readonly Tape? _outer;
    private bool _closed;

    private Tape(Tape? outer) => _outer = outer;

    /// <summary>The tape that records on this thread; null if operations are not recorded.</summary>
    public static Tape? Current => t_current;

    /// <summary>The number of recorded operations.</summary>
    public int Length => _entries.Count;

    /// <summary>Starts recording; close with <c>using</c>. Tapes nest: the inner one records until it is closed.</summary>
    public static Tape Begin() => t_current = new Tape(t_current);

    /// <summary>Stops recording until the result is disposed.</summary>
    public static PauseScope Pause() => new(true);

    /// <summary>True if a result computed from <paramref name="inputs"/> must be recorded.</summary>
    public static bool Needs(params ReadOnlySpan<Tensor?> inputs)
    {
        if (t_current is null) return false;
        foreach (Tensor? input in inputs)
            if (input is not null && StateOf(input) is not null) return true;
        return false;
    }

    /// <summary>
    /// Records that <paramref name="output"/> was computed from <paramref name="inputs"/> and returns it. Does nothing if
    /// no input needs a gradient.
    /// </summary>
    /// <param name="operation">The operation's name, for error messages.</param>
    /// <param name="output">The result.</param>
    /// <param name="inputs">What it was computed from; null entries are optional inputs that were not given.</param>
    /// <param name="saved">The tensors that <paramref name="rule"/> reads; their memory is kept until it has run.</param>
    /// <param name="rule">Computes the inputs' gradients.</param>
    public static Tensor Record(string operation, Tensor output, ReadOnlySpan<Tensor?> inputs, ReadOnlySpan<Tensor?> saved, BackwardRule rule) =>
        Needs(inputs) ? RecordAlways(operation, output, inputs, saved, rule) : output;

    /// <summary>
    /// Says how a result can be computed again, bit for bit, from tensors that the tape keeps anyway. Its memory is then not
    /// kept for the rules that read it, but computed anew for each. To be called before the operation is recorded.
    /// </summary>
    /// <param name="result">The result, alone in its memory.</param>
    /// <param name="from">The tensors that <paramref name="compute"/> reads.</param>
    /// <param name="compute">Fills the result's memory; must not make tensors.</param>
    public static void Repeatable(Tensor result, ReadOnlySpan<Tensor?> from, Action compute)
    {
        if (t_current is not { } tape) return;
        Saved ingredients = new(tape, from);
        if (ingredients.Depth >= LongestChain)
        {
            ingredients.Release();
            return;
        }
        Recipe recipe = new(tape, result.Storage, ingredients, compute);
        tape._entries.Add(new Entry(null, [], default, null, recipe));
    }

    /// <summary>Like <see cref="Record"/>, for an operation that must be played back for the sake of parameters it uses inside.</summary>
    internal static Tensor RecordAlways(string operation, Tensor output, ReadOnlySpan<Tensor?> inputs, ReadOnlySpan<Tensor?> saved, BackwardRule rule)
    {
        GradientState?[] states = new GradientState?[inputs.Length];
        for (int i = 0; i < states.Length; i++)
        {
            states[i] = inputs[i] is { } input ? StateOf(input) : null;
            if (states[i] is { IsLeaf: true } leaf) leaf.Readers++;
        }
        return t_current!.Add(operation, output, states, saved, rule);
    }

    /// <summary>Throws if a gradient through <paramref name="operation"/>, which has none, is asked for.</summary>
    /// <exception cref="NotSupportedException">An input needs a gradient.</exception>
    public static void NotDifferentiable(string operation, params ReadOnlySpan<Tensor?> inputs)
    {
        if (Needs(inputs))
            throw new NotSupportedException($"{operation} has no gradient; detach its input (Tensor.Detach()) or pause the tape (Tape.Pause())");
    }

    /// <summary>Adds the gradient of <paramref name="output"/> with respect to every leaf to that leaf's gradient.</summary>
    /// <param name="output">A result recorded on this tape.</param>
    /// <param name="gradient">The gradient of the loss with respect to <paramref name="output"/>; 1 if not given, for which the output must be a scalar.</param>
    /// <exception cref="InvalidOperationException">The output does not depend on a leaf, or is no scalar and no gradient was given.</exception>
    public void Backward(Tensor output, Tensor? gradient = null)
    {
        ArgumentNullException.ThrowIfNull(output);
        if (output.GradientState is not GradientState { Tape: not null } state || state.Tape != this)
            throw new InvalidOperationException("backward needs a result that was computed on this tape from something that requires a gradient");
        if (gradient is null && output.Count != 1)
            throw new InvalidOperationException($"backward of a result of shape {output.Shape} needs the gradient of the loss with respect to it");
        using (MemoryScope scope = MemoryScope.Begin())
            state.Accumulate(gradient ?? Ops.Full(output.Shape, 1, output.DType, output.Device));
        using PauseScope pause = Pause();
        for (int i = _entries.Count - 1; i >= 0; i--)
        {
            Entry entry = _entries[i];
            _entries.RemoveAt(i);
            Play(entry);
        }
    }

    /// <summary>Stops recording and forgets what was recorded.</summary>
    public void Dispose()
    {
        if (_closed) return;
        _closed = true;
        foreach (Entry entry in _entries) entry.Release();
        _entries.Clear();
        t_current = _outer;
    }

    private static void Play(in Entry entry)
    {
        if (entry.Output?.Gradient is { } gradient)
        {
            using MemoryScope scope = MemoryScope.Begin();
            entry.Saved.Provide();
            entry.Rule!(new Gradients(gradient.IsContiguous ? gradient : Ops.CopyOf(gradient), entry.Inputs));
            entry.Saved.Withdraw();
        }
        entry.Release();
        for (int i = 0; i < entry.Inputs.Length; i++)
            if (entry.Inputs[i] is { IsLeaf: true, Readers: 0, Ready: { } ready, Gradient: not null } leaf && Array.IndexOf(entry.Inputs, leaf) == i) ready();
    }

    private static GradientState? StateOf(Tensor tensor) =>
        tensor.GradientState is GradientState state && (state.IsLeaf || state.Tape == t_current) ? state : null;

    private Tensor Add(string operation, Tensor output, GradientState?[] inputs, ReadOnlySpan<Tensor?> saved, BackwardRule rule)
    {
        if (output.GradientState is not null)
            throw new InvalidOperationException($"{operation} returned a tensor that already has a place on the tape; return a view of it instead");
        GradientState state = new() { Tape = this, Shape = output.Shape };
        output.GradientState = state;
        _entries.Add(new Entry(state, inputs, new Saved(this, saved), rule));
        return output;
    }

    /// <summary>An operation, or a recipe alone.</summary>
    private readonly struct Entry(GradientState? output, GradientState?[] inputs, Saved saved, BackwardRule? rule, Recipe? recipe = null)
    {
        public GradientState? Output => output;

        public GradientState?[] Inputs => inputs;

        public Saved Saved => saved;

        public BackwardRule? Rule => rule;

        public void Release()
        {
            foreach (GradientState? input in inputs)
                if (input is { IsLeaf: true }) input.Readers--;
            output?.Clear();
            saved.Release();
            recipe?.Forget();
        }
    }

    /// <summary>While one exists, operations on this thread are not recorded.</summary>
    public readonly ref struct PauseScope
    {
        private readonly Tape? _paused;

        internal PauseScope(bool pause)
        {
            _paused = t_current;
            if (pause) t_current = null;
        }

        /// <summary>Goes on recording.</summary>
        public void Dispose() => t_current = _paused;
    }
}
