using System.Text;
using Lavt.Tensors;

namespace Lavt.Golden;

/// <summary>
/// Tensors that are the same in every language: value i of the tensor called <c>name</c> depends on the name and on i
/// alone (FNV-1a of the name, splitmix64, the upper 24 bits as a fraction).
/// </summary>
public static class Deterministic
{
    private const ulong Gamma = 0x9E3779B97F4A7C15;

    /// <summary>float32 values low + (high − low) · u, computed in double and rounded once.</summary>
    public static Tensor Uniform(string name, Shape shape, double low = -1, double high = 1)
    {
        Tensor tensor = Tensor.Empty(shape);
        Span<float> values = tensor.Span<float>();
        ulong state = Hash(name);
        for (int i = 0; i < values.Length; i++) values[i] = (float)(low + (high - low) * Fraction(ref state));
        return tensor;
    }

    /// <summary>I64 values in [low, high).</summary>
    public static Tensor Integers(string name, Shape shape, int low, int high)
    {
        Tensor tensor = Tensor.Empty(shape, DType.I64);
        Span<long> values = tensor.Span<long>();
        ulong state = Hash(name);
        for (int i = 0; i < values.Length; i++) values[i] = low + (long)Math.Floor(Fraction(ref state) * (high - low));
        return tensor;
    }

    /// <summary>The value of a parameter or float buffer by its state-dict key; null for index buffers, which keep their own.</summary>
    public static Tensor? Parameter(string name, Shape shape)
    {
        if (name.EndsWith("num_batches_tracked", StringComparison.Ordinal)
            || name.EndsWith("relative_position_index", StringComparison.Ordinal)
            || name.EndsWith("position_ids", StringComparison.Ordinal))
            return null;
        if (name.EndsWith("running_var", StringComparison.Ordinal)) return Uniform(name, shape, 1, 1.5);
        if (name.EndsWith("running_mean", StringComparison.Ordinal)) return Uniform(name, shape, -0.2, 0.2);
        if (shape.Rank == 1)
            return name.EndsWith("weight", StringComparison.Ordinal) ? Uniform(name, shape, 0.8, 1.2) : Uniform(name, shape, -0.1, 0.1);
        if (name.EndsWith("relative_position_bias_table", StringComparison.Ordinal)) return Uniform(name, shape);
        if (name.Contains("embeddings", StringComparison.Ordinal)) return Uniform(name, shape, -0.5, 0.5);
        double bound = Math.Sqrt(3.0 / (shape.Count / (double)shape[0]));
        return Uniform(name, shape, -bound, bound);
    }

    private static ulong Hash(string name)
    {
        ulong hash = 0xCBF29CE484222325;
        foreach (byte b in Encoding.UTF8.GetBytes(name)) hash = (hash ^ b) * 0x100000001B3;
        return hash;
    }

    private static double Fraction(ref ulong state)
    {
        state += Gamma;
        ulong z = state;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        z ^= z >> 31;
        return (z >> 40) / 16777216.0;
    }
}
