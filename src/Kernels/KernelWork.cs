using Lavt.Kernels.Cpu;

namespace Lavt.Kernels;

/// <summary>What one parallel loop computes, for a <see cref="KernelProfile"/>.</summary>
/// <param name="Name">The kernel and the sizes that decide its speed, such as "Gemm 900 x 512 -> 2048, gelu".</param>
/// <param name="Flops">Floating-point operations that it does, an addition and a multiplication being two; 0: not known.</param>
/// <param name="Bytes">Memory that it must read and write at least, each byte once; 0: not known.</param>
public readonly record struct KernelWork(string Name, double Flops = 0, double Bytes = 0)
{
    /// <summary>A loop that is known by its type alone: "LayerNorm.Forward" for the body LayerNorm.ForwardBody.</summary>
    /// <param name="body">The type of the loop's body.</param>
    public static KernelWork Of(Type body)
    {
        ArgumentNullException.ThrowIfNull(body);
        string name = WithoutArity(body.Name);
        foreach (string ending in (string[])["Body", "Loop"])
            if (name.EndsWith(ending, StringComparison.Ordinal)) name = name[..^ending.Length];
        if (body.DeclaringType is { } outer) name = name.Length == 0 ? WithoutArity(outer.Name) : $"{WithoutArity(outer.Name)}.{name}";
        // That a kernel runs with vectors of this width or that is the same for all of them.
        string[] operations = [.. body.GetGenericArguments().Where(t => !IsVector(t)).Select(t => t.Name)];
        return new KernelWork(operations.Length == 0 ? name : $"{name} {string.Join(' ', operations)}");
    }

    /// <summary>A loop that computes little and moves numbers: what it takes is the time of its memory.</summary>
    /// <param name="body">The type of the loop's body.</param>
    /// <param name="floats">The float32 numbers that it must read and write.</param>
    public static KernelWork Moving(Type body, double floats) => Of(body) with { Bytes = sizeof(float) * floats };

    private static bool IsVector(Type type) => type == typeof(F512) || type == typeof(F256) || type == typeof(F128);

    private static string WithoutArity(string name) => name.Split('`')[0];
}
