using BenchmarkDotNet.Attributes;
using Lavt.Kernels.Cpu;

namespace Lavt.Bench;

/// <summary>The three norms at the token counts and widths of Swin-Base's stages for a picture of 480 × 480.</summary>
public unsafe class NormBench
{
    private const float Eps = 1e-5f;
    private FloatArray _x = null!, _y = null!, _dy = null!, _dx = null!, _gamma = null!, _beta = null!, _mean = null!, _rstd = null!;
    private FloatArray _dGamma = null!, _dBeta = null!, _runningMean = null!, _runningVariance = null!;
    private int _rows, _channels;

    [Params("14400x128", "3600x256", "900x512", "225x1024")]
    public string Size { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        int[] size = Array.ConvertAll(Size.Split('x'), int.Parse);
        (_rows, _channels) = (size[0], size[1]);
        long count = (long)_rows * _channels;
        (_x, _y, _dy, _dx) = (new(count), new(count), new(count), new(count));
        (_gamma, _beta, _dGamma, _dBeta) = (new(_channels), new(_channels), new(_channels), new(_channels));
        (_mean, _rstd) = (new(_rows + _channels), new(_rows + _channels));
        (_runningMean, _runningVariance) = (new(_channels), new(_channels));
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (FloatArray array in (FloatArray[])[_x, _y, _dy, _dx, _gamma, _beta, _mean, _rstd, _dGamma, _dBeta, _runningMean, _runningVariance])
            array.Dispose();
    }

    [Benchmark]
    public void LayerNormForward() => LayerNorm.Forward(_x, _gamma, _beta, _y, _mean, _rstd, _rows, _channels, Eps);

    [Benchmark]
    public void LayerNormBackward() => LayerNorm.Backward(_x, _gamma, _mean, _rstd, _dy, _dx, _dGamma, _dBeta, _rows, _channels);

    [Benchmark]
    public void InstanceNormForward() => InstanceNorm.Forward(_x, _y, _mean, _rstd, 1, _rows, _channels, Eps);

    [Benchmark]
    public void InstanceNormBackward() => InstanceNorm.Backward(_y, null, null, _rstd, _dy, _dx, 1, _rows, _channels);

    [Benchmark]
    public void BatchNormForward() =>
        BatchNorm.ForwardTraining(_x, _gamma, _beta, _y, _mean, _rstd, _runningMean, _runningVariance, _rows, _channels, 0.1f, Eps, relu: true);

    [Benchmark]
    public void BatchNormBackward() =>
        BatchNorm.Backward(_x, _gamma, _y, _mean, _rstd, _dy, _dx, _dGamma, _dBeta, _rows, _channels, training: true);
}
