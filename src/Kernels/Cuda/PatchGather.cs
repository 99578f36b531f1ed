using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Pictures cut into patches, and 2x2 neighbourhoods put side by side; see <see cref="Cpu.PatchGather"/>.</summary>
public static unsafe class PatchGather
{
    private const int Threads = 256;
    private const string File = "PatchGather.cu";

    private static readonly CudaKernel s_embedForward = new(File, "patches_forward");
    private static readonly CudaKernel s_embedBackward = new(File, "patches_backward");
    private static readonly CudaKernel s_mergeForward = new(File, "merge_forward");
    private static readonly CudaKernel s_mergeBackward = new(File, "merge_backward");

    /// <inheritdoc cref="Cpu.PatchGather.EmbedForward"/>
    public static void EmbedForward(CudaStream stream, float* x, int batch, int channels, int height, int width, int patch, float* y)
    {
        long n = PatchElements(batch, channels, height, width, patch);
        s_embedForward.Launch(stream, Grid.Over(n, Threads), Threads, 0, x, y, n, channels, height, width, patch);
    }

    /// <inheritdoc cref="Cpu.PatchGather.EmbedBackward"/>
    public static void EmbedBackward(CudaStream stream, float* dy, int batch, int channels, int height, int width, int patch, float* dx)
    {
        long n = PatchElements(batch, channels, height, width, patch);
        s_embedBackward.Launch(stream, Grid.Over(n, Threads), Threads, 0, dy, dx, n, channels, height, width, patch);
    }

    /// <inheritdoc cref="Cpu.PatchGather.MergeForward"/>
    public static void MergeForward(CudaStream stream, float* x, int batch, int height, int width, int channels, float* y) =>
        Merge(s_mergeForward, stream, x, y, batch, height, width, channels);

    /// <inheritdoc cref="Cpu.PatchGather.MergeBackward"/>
    public static void MergeBackward(CudaStream stream, float* dy, int batch, int height, int width, int channels, float* dx) =>
        Merge(s_mergeBackward, stream, dy, dx, batch, height, width, channels);

    private static void Merge(CudaKernel kernel, CudaStream stream, float* from, float* to, int batch, int height, int width, int channels)
    {
        long parts = 4L * batch * ((height + 1) / 2) * ((width + 1) / 2);
        Pixels pixels = Pixels.Over(parts, channels);
        kernel.Launch(stream, pixels.Grid, Pixels.Threads, 0, from, to, parts, height, width, channels, pixels.Lanes);
    }

    private static long PatchElements(int batch, int channels, int height, int width, int patch) =>
        (long)batch * ((height + patch - 1) / patch) * ((width + patch - 1) / patch) * channels * patch * patch;
}
