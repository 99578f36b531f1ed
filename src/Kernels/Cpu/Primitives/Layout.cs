using System.Runtime.CompilerServices;

namespace Lavt.Kernels.Cpu;

/// <summary>The extents and strides (in elements) of one operand of a primitive, outermost axis first; stride 0 repeats an axis (broadcasting).</summary>
public struct Layout
{
    /// <summary>The largest number of axes.</summary>
    public const int MaxRank = 8;

    /// <summary>The number of axes.</summary>
    public int Rank;

    /// <summary>The extents.</summary>
    public Axes Extents;

    /// <summary>The strides.</summary>
    public Axes Strides;

    /// <summary>The number of elements.</summary>
    public readonly long Count
    {
        get
        {
            long count = 1;
            for (int i = 0; i < Rank; i++) count *= Extents[i];
            return count;
        }
    }

    /// <summary>One number per axis.</summary>
    [InlineArray(MaxRank)]
    public struct Axes
    {
        private long _first;
    }
}
