using Lavt.Kernels.Cuda.Driver;

namespace Lavt.Kernels.Cuda;

/// <summary>Instance normalisation over the tokens of each sample and channel, without affine part.</summary>
public static unsafe class InstanceNorm
{
    /// <summary>y = (x − mean) / √(variance + eps) over the tokens of a sample, with the biased variance.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="x">[batch, tokens, channels].</param>
    /// <param name="y">[batch, tokens, channels]; may be <paramref name="x"/>.</param>
    /// <param name="rstd">[batch, channels], receives 1 / √(variance + eps) for the gradient.</param>
    /// <param name="batch">Samples, at most 65535.</param>
    /// <param name="tokens">Rows of a sample.</param>
    /// <param name="channels">Columns.</param>
    /// <param name="eps">Added to the variance.</param>
    public static void Forward(CudaStream stream, float* x, float* y, float* rstd, int batch, int tokens, int channels, float eps)
    {
        if (tokens == 0) return;
        long statistics = (long)batch * channels;
        using CudaScratch scratch = new(stream, statistics * (2 * sizeof(double) + sizeof(float)));
        double* moments = (double*)scratch.Address;
        float* mean = (float*)(moments + 2 * statistics);
        ColumnNorm norm = new(stream, batch, tokens, channels);
        norm.Moments(x, moments);
        norm.Statistics(moments, eps, mean, rstd);
        norm.Normalise(x, mean, rstd, null, null, y);
    }

    /// <summary>The gradient of <see cref="Forward"/> from its result.</summary>
    /// <param name="stream">Where it runs.</param>
    /// <param name="y">The result of the forward pass.</param>
    /// <param name="rstd">As the forward pass left it.</param>
    /// <param name="dy">Gradient of the result.</param>
    /// <param name="dx">Gradient of the input, overwritten; may be <paramref name="dy"/>.</param>
    /// <param name="batch">Samples.</param>
    /// <param name="tokens">Rows of a sample.</param>
    /// <param name="channels">Columns.</param>
    public static void Backward(CudaStream stream, float* y, float* rstd, float* dy, float* dx, int batch, int tokens, int channels)
    {
        if (tokens == 0) return;
        long statistics = (long)batch * channels;
        using CudaScratch sums = new(stream, 2 * statistics * sizeof(float));
        float* sumG = (float*)sums.Address, sumGn = sumG + statistics;
        ColumnNorm norm = new(stream, batch, tokens, channels);
        norm.GradientSums(y, null, rstd, null, null, dy, sumG, sumGn);
        norm.Gradient(y, null, rstd, null, null, dy, sumG, sumGn, 1f / tokens, dx);
    }
}
