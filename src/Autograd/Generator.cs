using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>The source of random numbers of dropout and drop path on this thread.</summary>
public static class Generator
{
    [ThreadStatic]
    private static RandomSource? t_current;

    /// <summary>The source in use; seed 0 until a trainer sets another.</summary>
    public static RandomSource Current
    {
        get => t_current ??= new RandomSource(0);
        set => t_current = value;
    }
}
