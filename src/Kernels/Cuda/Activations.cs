using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Activations and their gradients, element by element.</summary>
public static unsafe class Activations
{
    private const int Threads = 256;

    private static readonly CudaKernel[] s_forward = Kernels("forward");
    private static readonly CudaKernel[] s_backward = Kernels("backward");

    /// <summary>y = f(x).</summary>
    public static void Forward(CudaStream stream, Activation activation, float* x, float* y, long n) =>
        s_forward[(int)activation - 1].Launch(stream, Grid.Over(n, Threads), Threads, 0, x, y, n);

    /// <summary>dx = dy · f′. GELU's derivative reads the input <paramref name="x"/>, the others the result <paramref name="y"/>; what is not read may be null.</summary>
    public static void Backward(CudaStream stream, Activation activation, float* x, float* y, float* dy, float* dx, long n) =>
        s_backward[(int)activation - 1].Launch(stream, Grid.Over(n, Threads), Threads, 0, x, y, dy, dx, n);

    private static CudaKernel[] Kernels(string direction) =>
        [.. new[] { "relu", "gelu", "tanh", "sigmoid" }.Select(name => new CudaKernel("Activation.cu", $"{name}_{direction}"))];
}
