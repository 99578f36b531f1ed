using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// Vectors that reach beyond the end of an array: only the first lanes are read or written. The lanes that are used go
/// through the same arithmetic as everywhere else, so that a value does not depend on where in an array it stands.
/// </summary>
internal static unsafe class VectorTail
{
    private const int MaxWidth = 16;

    /// <summary>The first <paramref name="count"/> lanes from <paramref name="source"/>, <paramref name="fill"/> in the others.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static V Load<V>(float* source, int count, float fill = 0f)
        where V : struct, ISimd<V>
    {
        float* lanes = stackalloc float[MaxWidth];
        for (int i = 0; i < V.Width; i++) lanes[i] = i < count ? source[i] : fill;
        return V.Load(lanes);
    }

    /// <summary>Writes the first <paramref name="count"/> lanes.</summary>
    [SkipLocalsInit]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Store<V>(V value, float* destination, int count)
        where V : struct, ISimd<V>
    {
        float* lanes = stackalloc float[MaxWidth];
        V.Store(value, lanes);
        for (int i = 0; i < count; i++) destination[i] = lanes[i];
    }
}
