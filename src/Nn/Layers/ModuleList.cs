namespace Lavt.Nn;

/// <summary>Modules in a row, named by their numbers.</summary>
public sealed class ModuleList<T> : Module
    where T : Module
{
    private readonly T[] _items;

    /// <summary>A list of the given modules.</summary>
    public ModuleList(IEnumerable<T> items)
    {
        _items = [.. items];
        for (int i = 0; i < _items.Length; i++) Register($"{i}", _items[i]);
    }

    /// <summary>The number of modules.</summary>
    public int Count => _items.Length;

    /// <summary>The module with the given number.</summary>
    public T this[int index] => _items[index];
}
