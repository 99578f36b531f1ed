using BenchmarkDotNet.Attributes;
using Lavt.Kernels.Cpu;

namespace Lavt.Bench;

/// <summary>What happens to weights once per model, or once per step of training: packing and transforming; and rows gathered or summed.</summary>
public unsafe class PackingBench
{
    private const int Side = 120, Channels = 128, Hidden = 2048, Width = 512;
    private FloatArray _linear = null!, _convolution = null!, _map = null!, _merged = null!;

    [GlobalSetup]
    public void Setup()
    {
        (_linear, _convolution) = (new((long)Hidden * Width), new(9L * Width * Width));
        (_map, _merged) = (new((long)Side * Side * Channels), new((long)Side * Side * Channels));
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (FloatArray array in (FloatArray[])[_linear, _convolution, _map, _merged]) array.Dispose();
    }

    [Benchmark]
    public void LinearWeight() => PackedMatrix.Pack(new Matrix(_linear, 1, Width), Width, Hidden).Dispose();

    [Benchmark]
    public void ConvolutionWeight() => PackedConv.Pack(_convolution, new(1, 3, 3), Width, Width).Dispose();

    [Benchmark]
    public void PatchMerging() => PatchGather.MergeForward(_map, 1, Side, Side, Channels, _merged);

    [Benchmark]
    public void GradientOfBias() => ColumnSum.Run(_map, Side * Side, Channels, _merged, accumulate: false);
}
