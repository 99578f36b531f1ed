namespace Lavt.Nn.Weights;

/// <summary>What a pickle may contain and how large it may be.</summary>
public sealed class PickleOptions
{
    /// <summary>The file's name, for messages.</summary>
    public string Name { get; init; } = "pickle";

    /// <summary>
    /// The classes and functions that the pickle may name, as <c>module.name</c>; each becomes an inert
    /// <see cref="PickleGlobal"/>. Python's own containers (OrderedDict, set, bytes …) need not be listed.
    /// </summary>
    public IReadOnlySet<string> AllowedGlobals { get; init; } = new HashSet<string>();

    /// <summary>
    /// Turns a persistent id (a reference to something beside the pickle) into a value. Without it such a reference is an error.
    /// </summary>
    public Func<object?, object?>? PersistentLoad { get; init; }

    /// <summary>
    /// Makes the value of an allowed global applied to arguments; <c>null</c> from it asks for the inert <see cref="PickleObject"/>.
    /// </summary>
    public Func<PickleGlobal, object?[], object?>? Construct { get; init; }

    /// <summary>The largest number of bytes read from a stream.</summary>
    public int MaxBytes { get; init; } = 1 << 30;

    /// <summary>The largest number of opcodes, which bounds time and memory.</summary>
    public long MaxOperations { get; init; } = 200_000_000;

    /// <summary>The largest depth of containers within containers.</summary>
    public int MaxDepth { get; init; } = 200;
}
