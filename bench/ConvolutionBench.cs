using BenchmarkDotNet.Attributes;
using Lavt.Kernels;
using Lavt.Kernels.Cpu;

namespace Lavt.Bench;

/// <summary>
/// The convolutions of LAVT's decoder (base, 480 x 480) and of the fusion of clips of 8 frames (tiny, 480 x 480): direct and
/// Winograd forward, and both gradients.
/// </summary>
public unsafe class ConvolutionBench
{
    private FloatArray _x = null!, _weight = null!, _y = null!, _bias = null!, _dx = null!, _dWeight = null!;
    private PackedConv _direct = null!;
    private PackedConv _winograd = null!;

    [ParamsSource(nameof(Shapes))]
    public ConvolutionCase Shape { get; set; } = null!;

    public static IEnumerable<ConvolutionCase> Shapes =>
    [
        new(Volume.Picture(120, 120), new(1, 3, 3), 640, 512),
        new(Volume.Picture(120, 120), new(1, 3, 3), 512, 512),
        new(Volume.Picture(60, 60), new(1, 3, 3), 768, 512),
        new(Volume.Picture(60, 60), new(1, 3, 3), 512, 512),
        new(Volume.Picture(30, 30), new(1, 3, 3), 1536, 512),
        new(Volume.Picture(30, 30), new(1, 3, 3), 512, 512),
        new(new(8, 120, 120), new(3, 3, 3), 96, 96),
        new(new(8, 60, 60), new(3, 3, 3), 192, 192),
        new(new(8, 30, 30), new(3, 3, 3), 384, 384),
        new(new(8, 15, 15), new(3, 3, 3), 768, 768),
        new(new(8, 60, 60), new(3, 1, 1), 192, 192),
    ];

    [GlobalSetup]
    public void Allocate()
    {
        long pixels = Shape.Map.Count, weights = (long)Shape.Kernel.Count * Shape.Inputs * Shape.Outputs;
        _x = new FloatArray(pixels * Shape.Inputs);
        _dx = new FloatArray(pixels * Shape.Inputs);
        _y = new FloatArray(pixels * Shape.Outputs);
        _weight = new FloatArray(weights);
        _dWeight = new FloatArray(weights);
        _bias = new FloatArray(Shape.Outputs);
        _winograd = PackedConv.Pack(_weight, Shape.Kernel, Shape.Inputs, Shape.Outputs);
        Convolution.AllowWinograd = false;
        _direct = PackedConv.Pack(_weight, Shape.Kernel, Shape.Inputs, Shape.Outputs);
        Convolution.AllowWinograd = true;
    }

    [GlobalCleanup]
    public void Free()
    {
        foreach (FloatArray array in (FloatArray[])[_x, _dx, _y, _weight, _dWeight, _bias]) array.Dispose();
        _winograd.Dispose();
        _direct.Dispose();
    }

    [Benchmark(Baseline = true)]
    public void Winograd() => Forward(_winograd);

    [Benchmark]
    public void Direct() => Forward(_direct);

    [Benchmark]
    public void Unpacked() =>
        Convolution.Forward(_x, 1, Shape.Map, Shape.Inputs, _weight, Shape.Kernel, Shape.Outputs, _y, default);

    [Benchmark]
    public void GradientOfInput() =>
        Convolution.BackwardData(_y, 1, Shape.Map, Shape.Inputs, _weight, Shape.Kernel, Shape.Outputs, _dx);

    [Benchmark]
    public void GradientOfWeight() =>
        Convolution.BackwardWeight(_x, _y, 1, Shape.Map, Shape.Inputs, Shape.Kernel, Shape.Outputs, _dWeight, accumulate: false);

    private void Forward(PackedConv weight) => Convolution.Forward(
        _x, 1, Shape.Map, weight, _y, new Epilogue { Bias = _bias, Activation = Activation.Relu });
}

/// <summary>A convolution of one map.</summary>
public sealed record ConvolutionCase(Volume Map, Volume Kernel, int Inputs, int Outputs)
{
    public override string ToString() => $"{Kernel} on {Map}, {Inputs} -> {Outputs}";
}
