using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>The source of random numbers of dropout and drop path on this thread.</summary>
public static class Generator
{
    [ThreadStatic]
    private static RandomSource? t_current;

    [ThreadStatic]
    private static nint t_firstStreamOnDevice;

    /// <summary>
    /// While a graph is captured that is to run with other random numbers: the address on the GPU of the stream from which those of
    /// <see cref="Current"/> count; otherwise 0.
    /// </summary>
    internal static nint FirstStreamOnDevice
    {
        get => t_firstStreamOnDevice;
        set => t_firstStreamOnDevice = value;
    }

    /// <summary>The source in use; seed 0 until a trainer sets another.</summary>
    public static RandomSource Current
    {
        get => t_current ??= new RandomSource(0);
        set => t_current = value;
    }
}
