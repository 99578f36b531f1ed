using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace Lavt.Nn.Weights;

/// <summary>
/// A Python dict: keys of any hashable kind, in the order of their first insertion, later values replacing earlier ones.
/// Keys compare as in Python (1, 1.0 and True are the same key).
/// </summary>
public sealed class PickleDict : IReadOnlyCollection<KeyValuePair<object?, object?>>
{
    // Dictionaries of data sets and optimizer states are many and small: up to this size a scan is as fast as an index and costs no memory.
    private const int IndexFrom = 16;

    private readonly List<KeyValuePair<object?, object?>> _entries = [];
    private Dictionary<PickleKey, int>? _index;

    /// <inheritdoc/>
    public int Count => _entries.Count;

    /// <summary>True for a <c>collections.OrderedDict</c>, false for a plain dict; read and written, without effect here.</summary>
    public bool IsOrderedDict { get; init; }

    /// <summary>What was stored beside the entries, such as the <c>_metadata</c> of PyTorch's state dicts; <c>null</c> if nothing was.</summary>
    public object? Attributes { get; set; }

    /// <summary>The keys in order.</summary>
    public IEnumerable<object?> Keys => _entries.Select(entry => entry.Key);

    /// <summary>The value of a string key.</summary>
    /// <exception cref="KeyNotFoundException">There is no such key; the message lists those there are.</exception>
    public object? this[string key]
    {
        get => TryGetValue(key, out object? value) ? value : throw new KeyNotFoundException($"no key '{key}'; there are: {KeyList()}");
        set => Set(key, value);
    }

    /// <summary>Looks a key up.</summary>
    public bool TryGetValue(object? key, out object? value)
    {
        int at = PickleKey.TryMake(key, out PickleKey made) ? Find(made) : -1;
        value = at >= 0 ? _entries[at].Value : null;
        return at >= 0;
    }

    /// <summary>True if the key is there.</summary>
    public bool ContainsKey(object? key) => TryGetValue(key, out _);

    /// <summary>Sets the value of a key.</summary>
    /// <exception cref="ArgumentException">Python could not use <paramref name="key"/> as a key, or it is longer than any sensible key.</exception>
    public void Set(object? key, object? value)
    {
        if (!PickleKey.TryMake(key, out PickleKey made))
            throw new ArgumentException($"a {key?.GetType().Name} of this size cannot be a key; use a string, a number, bytes, a class or a short tuple of these");
        int at = Find(made);
        if (at >= 0)
        {
            _entries[at] = new(_entries[at].Key, value);
            return;
        }
        _entries.Add(new(key, value));
        if (_index is not null) _index.Add(made, _entries.Count - 1);
        else if (_entries.Count > IndexFrom) BuildIndex();
    }

    /// <summary>
    /// The value of a string key as <typeparamref name="T"/>. Whole numbers convert to <see cref="int"/>, <see cref="double"/>
    /// and <see cref="float"/>, doubles to <see cref="float"/>.
    /// </summary>
    /// <exception cref="KeyNotFoundException">There is no such key.</exception>
    /// <exception cref="InvalidCastException">The value is of another kind, or does not fit.</exception>
    public T Get<T>(string key)
        where T : notnull
    {
        object? value = this[key];
        return TryConvert<T>(value, out T? result)
            ? result
            : throw new InvalidCastException($"'{key}' is {(value is null ? "None" : $"a {value.GetType().Name}")}, expected {typeof(T).Name}");
    }

    /// <summary>Like <see cref="Get{T}"/>, but says false where the key is missing or its value of another kind.</summary>
    public bool TryGet<T>(string key, [MaybeNullWhen(false)] out T value)
        where T : notnull
    {
        value = default;
        return TryGetValue(key, out object? found) && TryConvert(found, out value);
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<object?, object?>> GetEnumerator() => _entries.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>The value of the entry at a place in the order.</summary>
    internal object? ValueAt(int index) => _entries[index].Value;

    private static bool TryConvert<T>(object? value, [MaybeNullWhen(false)] out T result)
        where T : notnull
    {
        object? converted = value;
        if (value is long whole)
        {
            if (typeof(T) == typeof(int) && whole == (int)whole) converted = (int)whole;
            else if (typeof(T) == typeof(double)) converted = (double)whole;
            else if (typeof(T) == typeof(float)) converted = (float)whole;
        }
        else if (value is double real && typeof(T) == typeof(float))
        {
            converted = (float)real;
        }
        result = converted is T typed ? typed : default;
        return converted is T;
    }

    private int Find(in PickleKey key)
    {
        if (_index is not null) return _index.TryGetValue(key, out int at) ? at : -1;
        for (int i = 0; i < _entries.Count; i++)
            if (PickleKey.TryMake(_entries[i].Key, out PickleKey other) && other.Equals(key)) return i;
        return -1;
    }

    private void BuildIndex()
    {
        _index = new Dictionary<PickleKey, int>(_entries.Count * 2);
        for (int i = 0; i < _entries.Count; i++)
            if (PickleKey.TryMake(_entries[i].Key, out PickleKey key)) _index.Add(key, i);
    }

    private string KeyList()
    {
        const int Shown = 20;
        string list = string.Join(", ", _entries.Take(Shown).Select(entry => entry.Key ?? "None"));
        return _entries.Count > Shown ? $"{list}, … ({_entries.Count} in all)" : list;
    }
}
