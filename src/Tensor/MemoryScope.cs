namespace Lavt.Tensors;

/// <summary>
/// Decides when intermediate results are freed: every tensor made while a scope is open belongs to it, and closing the
/// scope gives their memory back at once, but for what <see cref="Return(Tensor)"/> handed to the scope outside and what
/// the tape still needs. Layers open scopes; user code need not.
/// </summary>
/// <remarks>Scopes nest and belong to the thread that opened them.</remarks>
public sealed class MemoryScope : IDisposable
{
    [ThreadStatic]
    private static MemoryScope? s_current;

    [ThreadStatic]
    private static Stack<MemoryScope>? s_pool;

    private readonly List<Storage> _owned = [];
    private MemoryScope? _outer;

    private MemoryScope()
    {
    }

    /// <summary>Opens a scope; close it with <c>using</c>.</summary>
    public static MemoryScope Begin()
    {
        s_pool ??= new Stack<MemoryScope>();
        if (!s_pool.TryPop(out MemoryScope? scope)) scope = new MemoryScope();
        scope._outer = s_current;
        s_current = scope;
        return scope;
    }

    /// <summary>Lets <paramref name="tensor"/> outlive this scope: it belongs to the scope outside afterwards, or, where there is none, to the garbage collector.</summary>
    public Tensor Return(Tensor tensor)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        Storage storage = tensor.Storage;
        int at = _owned.LastIndexOf(storage);
        if (at < 0) return tensor;
        _owned.RemoveAt(at);
        if (_outer is not null) _outer._owned.Add(storage);
        return tensor;
    }

    /// <summary>Frees the tensors made since <see cref="Begin"/>.</summary>
    public void Dispose()
    {
        if (s_current != this)
            throw new InvalidOperationException("memory scopes must be closed in the reverse order of their opening, on the thread that opened them");
        s_current = _outer;
        _outer = null;
        foreach (Storage storage in _owned) storage.ReleaseReference();
        _owned.Clear();
        s_pool!.Push(this);
    }

    internal static void Own(Storage storage)
    {
        // Without a scope this reference stays for good, and the garbage collector decides.
        storage.Retain();
        s_current?._owned.Add(storage);
    }
}
