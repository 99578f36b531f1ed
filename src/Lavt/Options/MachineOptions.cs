using Lavt.Tensors;

namespace Lavt.Options;

/// <summary>What the work runs on.</summary>
public sealed record MachineOptions
{
    /// <summary><c>--device</c>.</summary>
    public Device Device { get; init; } = Device.Cpu;

    /// <summary><c>--threads</c>: threads that compute; null for one per core.</summary>
    public int? Threads { get; init; }

    /// <summary><c>--precision</c>: the type of the arithmetic.</summary>
    public Precision Precision { get; init; } = Precision.Float32;
}

/// <summary>The types of arithmetic, <c>--precision</c>.</summary>
public enum Precision
{
    /// <summary><c>fp32</c>.</summary>
    Float32,
}
