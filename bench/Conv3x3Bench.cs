using BenchmarkDotNet.Attributes;
using Lavt.Kernels;
using Lavt.Kernels.Cpu;

namespace Lavt.Bench;

/// <summary>The 3x3 convolutions of LAVT's decoder (base, 480 x 480): direct and Winograd forward, and both gradients.</summary>
public unsafe class Conv3x3Bench
{
    private FloatArray _x = null!, _weight = null!, _y = null!, _bias = null!, _dx = null!, _dWeight = null!;
    private PackedConv _direct = null!;
    private PackedConv _winograd = null!;

    [ParamsSource(nameof(Shapes))]
    public PictureShape Shape { get; set; } = null!;

    public static IEnumerable<PictureShape> Shapes =>
    [
        new(120, 640, 512),
        new(120, 512, 512),
        new(60, 768, 512),
        new(60, 512, 512),
        new(30, 1536, 512),
        new(30, 512, 512),
    ];

    [GlobalSetup]
    public void Allocate()
    {
        long pixels = (long)Shape.Side * Shape.Side;
        _x = new FloatArray(pixels * Shape.Inputs);
        _dx = new FloatArray(pixels * Shape.Inputs);
        _y = new FloatArray(pixels * Shape.Outputs);
        _weight = new FloatArray(9L * Shape.Inputs * Shape.Outputs);
        _dWeight = new FloatArray(9L * Shape.Inputs * Shape.Outputs);
        _bias = new FloatArray(Shape.Outputs);
        _winograd = PackedConv.Pack(_weight, Shape.Inputs, Shape.Outputs);
        Conv3x3.AllowWinograd = false;
        _direct = PackedConv.Pack(_weight, Shape.Inputs, Shape.Outputs);
        Conv3x3.AllowWinograd = true;
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
        Conv3x3.Forward(_x, 1, Shape.Side, Shape.Side, Shape.Inputs, _weight, Shape.Outputs, _y, default);

    [Benchmark]
    public void GradientOfInput() =>
        Conv3x3.BackwardData(_y, 1, Shape.Side, Shape.Side, Shape.Inputs, _weight, Shape.Outputs, _dx);

    [Benchmark]
    public void GradientOfWeight() =>
        Conv3x3.BackwardWeight(_x, _y, 1, Shape.Side, Shape.Side, Shape.Inputs, Shape.Outputs, _dWeight, accumulate: false);

    private void Forward(PackedConv weight) => Conv3x3.Forward(
        _x, 1, Shape.Side, Shape.Side, weight, _y, new Epilogue { Bias = _bias, Activation = Activation.Relu });
}

/// <summary>A 3x3 convolution of one square picture.</summary>
public sealed record PictureShape(int Side, int Inputs, int Outputs)
{
    public override string ToString() => $"{Side} x {Side}, {Inputs} -> {Outputs}";
}
