using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>The largest value of each neighbourhood of a channels-last map, stride 1, clipped at the borders.</summary>
public static unsafe class MaxPool
{
    private const int Threads = 256;

    private static readonly CudaKernel s_forward = new("MaxPool.cu", "max_pool_forward");
    private static readonly CudaKernel s_backward = new("MaxPool.cu", "max_pool_backward");

    /// <summary>The largest values and where they lie.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="x">[batch, height, width, channels].</param>
    /// <param name="batch">Samples.</param>
    /// <param name="height">Rows.</param>
    /// <param name="width">Columns.</param>
    /// <param name="channels">Channels.</param>
    /// <param name="size">The extents of a neighbourhood, odd.</param>
    /// <param name="y">As <paramref name="x"/>.</param>
    /// <param name="winners">As <paramref name="x"/>: the index of the first largest value, row by row.</param>
    public static void Forward(CudaStream stream, float* x, int batch, int height, int width, int channels, int size, float* y, long* winners)
    {
        long n = (long)batch * height * width * channels;
        s_forward.Launch(stream, Grid.Over(n, Threads), Threads, 0, x, n, height, width, channels, size, y, winners);
    }

    /// <summary>The gradient: dx is the sum of dy over the neighbourhoods that an element has won; all of dx is written.</summary>
    public static void Backward(CudaStream stream, float* dy, long* winners, int batch, int height, int width, int channels, int size, float* dx)
    {
        long n = (long)batch * height * width * channels;
        s_backward.Launch(stream, Grid.Over(n, Threads), Threads, 0, dy, winners, n, height, width, channels, size, dx);
    }
}
