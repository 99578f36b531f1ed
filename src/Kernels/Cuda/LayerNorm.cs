using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Layer normalisation over the channels of each row; see <see cref="Cpu.LayerNorm"/>.</summary>
public static unsafe class LayerNorm
{
    private const int Warps = 8, Threads = Warps * 32, ChannelsPerBlock = 32;
    private const string File = "LayerNorm.cu";

    private static readonly CudaKernel s_forward = new(File, "layer_norm_forward");
    private static readonly CudaKernel s_forwardBf16 = new(File, "layer_norm_forward", "-DRESULT=bf16");
    private static readonly CudaKernel s_forwardF16 = new(File, "layer_norm_forward", "-DRESULT=f16");
    private static readonly CudaKernel s_backwardInput = new(File, "layer_norm_backward_input");
    private static readonly CudaKernel s_backwardParameters = new(File, "layer_norm_backward_parameters");
    private static readonly CudaKernel s_addChunks = new(File, "layer_norm_add_chunks");

    /// <inheritdoc cref="Cpu.LayerNorm.Forward"/>
    public static void Forward(CudaStream stream, float* x, float* gamma, float* beta, float* y, float* mean, float* rstd, long rows, int channels, float eps) =>
        s_forward.Launch(stream, Grid.Over(rows, Warps), Threads, 0, x, gamma, beta, y, mean, rstd, rows, channels, eps, 0);

    /// <summary>The same without keeping statistics, with the result y rounded to the 16-bit type of a product that reads it.</summary>
    public static void ForwardRounded(CudaStream stream, float* x, float* gamma, float* beta, void* y, long rows, int channels, float eps, ProductPrecision precision) =>
        (precision == ProductPrecision.Float16 ? s_forwardF16 : s_forwardBf16).Launch(stream, Grid.Over(rows, Warps), Threads, 0, x, gamma, beta, y, (void*)null, (void*)null, rows, channels, eps, 0);

    /// <inheritdoc cref="Cpu.LayerNorm.Repeat"/>
    public static void Repeat(CudaStream stream, float* x, float* gamma, float* beta, float* y, float* mean, float* rstd, long rows, int channels) =>
        s_forward.Launch(stream, Grid.Over(rows, Warps), Threads, 0, x, gamma, beta, y, mean, rstd, rows, channels, 0f, 1);

    /// <inheritdoc cref="Cpu.LayerNorm.Backward"/>
    public static void Backward(CudaStream stream, float* x, float* gamma, float* mean, float* rstd, float* dy, float* dx, float* dGamma, float* dBeta, long rows, int channels)
    {
        (int chunks, int rowsPerChunk) = ColumnSum.Split(rows);
        using CudaScratch partials = new(stream, 2L * chunks * channels * sizeof(float));
        // First the parameters: dx may lie where dy lies.
        s_backwardParameters.Launch(stream, new Grid((channels + ChannelsPerBlock - 1) / ChannelsPerBlock, chunks), Threads, 0, x, mean, rstd, dy, partials.Address, rows, channels, rowsPerChunk);
        s_addChunks.Launch(stream, Grid.Over(2L * channels, Threads), Threads, 0, partials.Address, chunks, dGamma, dBeta, channels);
        s_backwardInput.Launch(stream, Grid.Over(rows, Warps), Threads, 0, x, gamma, mean, rstd, dy, dx, rows, channels);
    }
}
