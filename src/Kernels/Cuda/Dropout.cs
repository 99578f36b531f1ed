using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Dropout with the numbers that <see cref="Cpu.Dropout"/> draws.</summary>
public static unsafe class Dropout
{
    private const int Threads = 256, ElementsPerThread = 8;

    private static readonly CudaKernel s_elements = new("Dropout.cu", "dropout");
    private static readonly CudaKernel s_samples = new("Dropout.cu", "drop_path");

    /// <summary>y[i] = x[i] / (1 − probability) where number first + i of the stream is at least <paramref name="probability"/>, otherwise 0.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="x">[n].</param>
    /// <param name="y">[n]; may be <paramref name="x"/>.</param>
    /// <param name="n">The number of elements.</param>
    /// <param name="probability">Of an element becoming 0.</param>
    /// <param name="seed">Of the random numbers.</param>
    /// <param name="numbers">The stream of random numbers.</param>
    /// <param name="firstStream">A number on the GPU from which <paramref name="numbers"/> counts; null for 0.</param>
    /// <param name="first">The number of the first element.</param>
    public static void Run(CudaStream stream, float* x, float* y, long n, float probability, ulong seed, ulong numbers, ulong* firstStream = null, long first = 0)
    {
        // From the block of four numbers that holds the first to the one that holds the last.
        long blocks = n == 0 ? 0 : (first + n + 3) / 4 - first / 4;
        s_elements.Launch(stream, Grid.Over(blocks, Threads), Threads, 0, x, y, n, probability, 1f / (1f - probability), seed, numbers, firstStream, first);
    }

    /// <summary>Multiplies sample i by 1 / (1 − probability) where number first + i of the stream is at least <paramref name="probability"/>, otherwise by 0.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="x">[samples, size].</param>
    /// <param name="y">[samples, size]; may be <paramref name="x"/>.</param>
    /// <param name="samples">At most 65535.</param>
    /// <param name="size">The elements of a sample.</param>
    /// <param name="probability">Of a sample becoming 0.</param>
    /// <param name="seed">Of the random numbers.</param>
    /// <param name="numbers">The stream of random numbers.</param>
    /// <param name="firstStream">A number on the GPU from which <paramref name="numbers"/> counts; null for 0.</param>
    /// <param name="first">The number of the first sample.</param>
    public static void RunOnSamples(CudaStream stream, float* x, float* y, int samples, long size, float probability, ulong seed, ulong numbers, ulong* firstStream, long first) =>
        s_samples.Launch(stream, Grid.Over(size, Threads * ElementsPerThread) with { Y = samples }, Threads, 0, x, y, size, probability, 1f / (1f - probability), seed, numbers, firstStream, first);
}
