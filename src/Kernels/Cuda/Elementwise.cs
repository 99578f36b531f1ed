using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Operations that treat every float32 element alike, on arrays in a GPU's memory. Outputs may be the very arrays that are read.</summary>
public static unsafe class Elementwise
{
    private const int Threads = 256;
    private const string File = "Elementwise.cu";

    private static readonly CudaKernel s_add = new(File, "elementwise_add");
    private static readonly CudaKernel s_multiply = new(File, "elementwise_multiply");
    private static readonly CudaKernel s_scale = new(File, "elementwise_scale");
    private static readonly CudaKernel s_fill = new(File, "elementwise_fill");
    private static readonly CudaKernel s_gate = new(File, "elementwise_gate");
    private static readonly CudaKernel s_multiplyBackward = new(File, "elementwise_multiply_backward");

    /// <summary>y = a + b.</summary>
    public static void Add(CudaStream stream, float* a, float* b, float* y, long n) => s_add.Launch(stream, Grid.Over(n, Threads), Threads, 0, a, b, y, n);

    /// <summary>y = a · b.</summary>
    public static void Multiply(CudaStream stream, float* a, float* b, float* y, long n) => s_multiply.Launch(stream, Grid.Over(n, Threads), Threads, 0, a, b, y, n);

    /// <summary>y = s · x.</summary>
    public static void Scale(CudaStream stream, float* x, float s, float* y, long n) => s_scale.Launch(stream, Grid.Over(n, Threads), Threads, 0, x, s, y, n);

    /// <summary>y = value throughout.</summary>
    public static void Fill(CudaStream stream, float* y, float value, long n) => s_fill.Launch(stream, Grid.Over(n, Threads), Threads, 0, y, value, n);

    /// <summary>The language gate, y = x + t · r.</summary>
    public static void Gate(CudaStream stream, float* t, float* r, float* x, float* y, long n) => s_gate.Launch(stream, Grid.Over(n, Threads), Threads, 0, t, r, x, y, n);

    /// <summary>The gradients of a · b: da = dy · b and db = dy · a; either may be null.</summary>
    public static void MultiplyBackward(CudaStream stream, float* a, float* b, float* dy, float* da, float* db, long n) =>
        s_multiplyBackward.Launch(stream, Grid.Over(n, Threads), Threads, 0, a, b, dy, da, db, n);
}
