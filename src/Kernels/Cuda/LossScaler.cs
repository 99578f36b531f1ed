using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Dynamic loss scaling, kept on the GPU. Its state is three doubles: the scale, the good steps since it changed, the sum of the squares of the step's gradients.</summary>
public static unsafe class LossScaler
{
    /// <summary>The number of doubles of a state.</summary>
    public const int StateCount = 3;

    /// <summary>The place of the sum of squares in a state.</summary>
    public const int Squares = 2;

    private const int Threads = 32;
    private const string File = "LossScaler.cu";

    private static readonly CudaKernel s_seed = new(File, "loss_scale_seed");
    private static readonly CudaKernel s_update = new(File, "loss_scale_update");

    /// <summary>Sets the gradient of a loss to <paramref name="share"/> times the scale.</summary>
    public static void Seed(CudaStream stream, double* state, float share, float* seed) => s_seed.Launch(stream, 1, Threads, 0, state, share, seed);

    /// <summary>Moves the scale behind a step, whose sum of squares the state holds.</summary>
    public static void Update(CudaStream stream, double* state) => s_update.Launch(stream, 1, Threads, 0, state);
}
