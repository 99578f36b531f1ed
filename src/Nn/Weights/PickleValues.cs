using System.Collections;

namespace Lavt.Nn.Weights;

/// <summary>The name of a Python class or function. Only a name: it refers to nothing.</summary>
/// <param name="Module">The module, such as <c>argparse</c>.</param>
/// <param name="Name">The name within the module, such as <c>Namespace</c>.</param>
public sealed record PickleGlobal(string Module, string Name)
{
    /// <summary><c>module.name</c>.</summary>
    public string FullName { get; } = Module + "." + Name;

    /// <inheritdoc/>
    public override string ToString() => FullName;
}

/// <summary>The record of an instance that Python would have created: which class, from what, and what was put into it.</summary>
public sealed class PickleObject
{
    /// <summary>An instance of <paramref name="global"/> called with <paramref name="arguments"/>.</summary>
    public PickleObject(PickleGlobal global, params object?[] arguments)
    {
        Global = global;
        Arguments = arguments;
    }

    /// <summary>The class or function.</summary>
    public PickleGlobal Global { get; }

    /// <summary>What it was called with.</summary>
    public IReadOnlyList<object?> Arguments { get; }

    /// <summary>What restores the instance, most often a <see cref="PickleDict"/> of attributes; <c>null</c> if there is none.</summary>
    public object? State { get; set; }

    /// <summary>The entries of a class derived from dict; <c>null</c> if there are none.</summary>
    public PickleDict? Items { get; set; }

    /// <summary>The elements of a class derived from list; <c>null</c> if there are none.</summary>
    public IReadOnlyList<object?>? Elements => ElementList;

    /// <summary>The writable form of <see cref="Elements"/>.</summary>
    internal List<object?>? ElementList { get; set; }

    /// <inheritdoc/>
    public override string ToString() => $"{Global}(…)";
}

/// <summary>A Python set or frozenset, in the order of the file.</summary>
public sealed class PickleSet : IReadOnlyCollection<object?>
{
    private readonly PickleDict _members = new();

    /// <inheritdoc/>
    public int Count => _members.Count;

    /// <inheritdoc/>
    public IEnumerator<object?> GetEnumerator() => _members.Keys.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    internal void Add(object? member) => _members.Set(member, null);
}
