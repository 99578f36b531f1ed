using System.Numerics;
using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>How kernels on maps share out pixels and channels (Pixels.cuh).</summary>
internal readonly record struct Pixels(Grid Grid, int Lanes)
{
    /// <summary>Threads of a block.</summary>
    public const int Threads = 256;

    /// <summary>Threads for each pixel: as many as it has channels, rounded to a power of two, and at most a block.</summary>
    public static Pixels Over(long pixels, int channels)
    {
        int lanes = (int)Math.Min(Threads, BitOperations.RoundUpToPowerOf2((uint)Math.Max(1, channels)));
        return new Pixels(Grid.Over(channels == 0 ? 0 : pixels, Threads / lanes), lanes);
    }
}
