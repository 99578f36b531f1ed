using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Bilinear interpolation of channels-last maps with aligned corners.</summary>
public static unsafe class Bilinear
{
    private const string File = "Bilinear.cu";

    private static readonly CudaKernel s_forward = new(File, "bilinear_forward");
    private static readonly CudaKernel s_backward = new(File, "bilinear_backward");
    private static readonly CudaKernel s_mask = new(File, "bilinear_mask");
    private static readonly CudaKernel s_copy = new(File, "channels_copy");

    /// <summary>x [batch, h, w, channels] to y [batch, height, width, yStride].</summary>
    public static void Forward(CudaStream stream, float* x, int batch, int h, int w, int channels, float* y, int height, int width, int yStride)
    {
        Pixels pixels = Pixels.Over((long)batch * height * width, channels);
        s_forward.Launch(stream, pixels.Grid, Pixels.Threads, 0, x, batch, h, w, channels, y, height, width, yStride, pixels.Lanes);
    }

    /// <summary>The gradient: dy [batch, height, width, dyStride] to dx [batch, h, w, channels], all of which is written.</summary>
    public static void Backward(CudaStream stream, float* dy, int dyStride, int batch, int h, int w, int channels, float* dx, int height, int width)
    {
        Pixels pixels = Pixels.Over((long)batch * h * w, channels);
        s_backward.Launch(stream, pixels.Grid, Pixels.Threads, 0, dy, dyStride, batch, h, w, channels, dx, height, width, pixels.Lanes);
    }

    /// <summary>logits [batch, h, w, 2] to mask [batch, height, width]: 1 where the second interpolated logit is the larger one.</summary>
    public static void Mask(CudaStream stream, float* logits, int batch, int h, int w, byte* mask, int height, int width) =>
        s_mask.Launch(stream, Grid.Over((long)batch * height * width, Pixels.Threads), Pixels.Threads, 0, logits, batch, h, w, mask, height, width);

    /// <summary>The first <paramref name="channels"/> of each pixel, [pixels, fromStride] to [pixels, toStride].</summary>
    public static void CopyChannels(CudaStream stream, float* from, int fromStride, float* to, int toStride, long pixels, int channels)
    {
        Pixels shares = Pixels.Over(pixels, channels);
        s_copy.Launch(stream, shares.Grid, Pixels.Threads, 0, from, fromStride, to, toStride, pixels, channels, shares.Lanes);
    }
}
