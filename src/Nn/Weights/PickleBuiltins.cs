using System.Text;

namespace Lavt.Nn.Weights;

/// <summary>Python's own data types that pickles write as calls of a class.</summary>
internal static class PickleBuiltins
{
    private static readonly HashSet<string> Names =
    [
        "collections.OrderedDict", "_codecs.encode", "copy_reg._reconstructor", "copyreg._reconstructor",
        "builtins.object", "builtins.set", "builtins.frozenset", "builtins.bytearray", "builtins.bytes", "builtins.list", "builtins.dict", "builtins.tuple",
        "__builtin__.object", "__builtin__.set", "__builtin__.frozenset", "__builtin__.bytearray", "__builtin__.bytes", "__builtin__.list", "__builtin__.dict", "__builtin__.tuple",
    ];

    /// <summary>True if every pickle may name this.</summary>
    public static bool Knows(string fullName) => Names.Contains(fullName);

    /// <summary>The value of one of these types made from arguments, or null for other names.</summary>
    /// <exception cref="ArgumentException">The arguments are none that a pickler writes.</exception>
    public static object? Construct(PickleGlobal global, object?[] arguments)
    {
        string module = global.Module == "__builtin__" ? "builtins" : global.Module;
        return (module, global.Name, arguments) switch
        {
            ("collections", "OrderedDict", []) => new PickleDict { IsOrderedDict = true },
            ("collections", "OrderedDict", [List<object?> pairs]) => OrderedDict(pairs),
            ("builtins", "set" or "frozenset", []) => new PickleSet(),
            ("builtins", "set" or "frozenset", [List<object?> members]) => Set(members),
            ("builtins", "bytes" or "bytearray", []) => Array.Empty<byte>(),
            ("builtins", "bytes" or "bytearray", [byte[] bytes]) => bytes,
            ("builtins", "bytearray", [string text, "latin-1", ..]) => Latin1(text),
            ("_codecs", "encode", [string text, "latin1"]) => Latin1(text),
            ("copy_reg" or "copyreg", "_reconstructor", [PickleGlobal type, ..]) => new PickleObject(type),
            ("builtins" or "collections" or "_codecs" or "copy_reg" or "copyreg", _, _) when Knows(global.FullName) =>
                throw new ArgumentException("these arguments are none that Python writes; the file is damaged"),
            _ => null,
        };
    }

    private static PickleDict OrderedDict(List<object?> pairs)
    {
        PickleDict dict = new() { IsOrderedDict = true };
        foreach (object? pair in pairs)
        {
            switch (pair)
            {
                case object?[] { Length: 2 } tuple: dict.Set(tuple[0], tuple[1]); break;
                case List<object?> { Count: 2 } list: dict.Set(list[0], list[1]); break;
                default: throw new ArgumentException("an entry is no pair of key and value; the file is damaged");
            }
        }
        return dict;
    }

    private static PickleSet Set(List<object?> members)
    {
        PickleSet set = new();
        foreach (object? member in members) set.Add(member);
        return set;
    }

    private static byte[] Latin1(string text) => Encoding.Latin1.GetBytes(text);
}
