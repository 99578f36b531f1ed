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
        ColumnNorm norm = new(stream, batch, tokens, channels);
        using CudaScratch scratch = new(stream, norm.SumCount * sizeof(double) + (long)batch * channels * sizeof(float));
        double* sums = (double*)scratch.Address;
        float* mean = (float*)(sums + norm.SumCount);
        norm.Sums(x, sums);
        norm.Statistics(sums, eps, mean, rstd);
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
        ColumnNorm norm = new(stream, batch, tokens, channels);
        using CudaScratch sums = new(stream, norm.SumCount * sizeof(double));
        norm.GradientSums(y, null, rstd, null, null, dy, (double*)sums.Address);
        norm.Gradient(y, null, rstd, null, null, dy, (double*)sums.Address, dx);
    }
}
