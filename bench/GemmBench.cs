using BenchmarkDotNet.Attributes;
using Lavt.Kernels;
using Lavt.Kernels.Cpu;

namespace Lavt.Bench;

/// <summary>The linear layers of LAVT (base, 480 x 480) and BERT: forward and both gradients.</summary>
public unsafe class GemmBench
{
    private FloatArray _x = null!, _weight = null!, _y = null!, _bias = null!, _residual = null!, _dx = null!, _dWeight = null!;
    private PackedMatrix _packed = null!;

    [ParamsSource(nameof(Shapes))]
    public LinearShape Shape { get; set; } = null!;

    public static IEnumerable<LinearShape> Shapes =>
    [
        new(14400, 128, 384),
        new(14400, 128, 512),
        new(14400, 512, 128),
        new(3600, 256, 1024),
        new(3600, 1024, 256),
        new(900, 512, 1536),
        new(900, 512, 2048),
        new(900, 2048, 512),
        new(225, 1024, 4096),
        new(225, 4096, 1024),
        new(20, 768, 3072),
        new(20, 3072, 768),
    ];

    private Matrix X => new(_x, Shape.Inputs, 1);

    [GlobalSetup]
    public void Allocate()
    {
        _x = new FloatArray((long)Shape.Rows * Shape.Inputs);
        _dx = new FloatArray((long)Shape.Rows * Shape.Inputs);
        _y = new FloatArray((long)Shape.Rows * Shape.Outputs);
        _residual = new FloatArray((long)Shape.Rows * Shape.Outputs);
        _weight = new FloatArray((long)Shape.Inputs * Shape.Outputs);
        _dWeight = new FloatArray((long)Shape.Inputs * Shape.Outputs);
        _bias = new FloatArray(Shape.Outputs);
        _packed = PackedMatrix.Pack(new Matrix(_weight, 1, Shape.Inputs), Shape.Inputs, Shape.Outputs);
    }

    [GlobalCleanup]
    public void Free()
    {
        foreach (FloatArray array in (FloatArray[])[_x, _dx, _y, _residual, _weight, _dWeight, _bias]) array.Dispose();
        _packed.Dispose();
    }

    [Benchmark(Baseline = true)]
    public void Packed() => Forward(new Epilogue { Bias = _bias });

    [Benchmark]
    public void PackedGelu() => Forward(new Epilogue { Bias = _bias, Activation = Activation.Gelu });

    [Benchmark]
    public void PackedResidual() => Forward(new Epilogue { Bias = _bias, Residual = _residual, ResidualStride = Shape.Outputs });

    [Benchmark]
    public void Unpacked() => Gemm.Run(
        Shape.Rows, Shape.Outputs, Shape.Inputs, X, new Matrix(_weight, 1, Shape.Inputs), _y, Shape.Outputs, new Epilogue { Bias = _bias });

    [Benchmark]
    public void GradientOfInput() => Gemm.Run(
        Shape.Rows, Shape.Inputs, Shape.Outputs, new Matrix(_y, Shape.Outputs, 1), new Matrix(_weight, Shape.Inputs, 1), _dx, Shape.Inputs, default);

    [Benchmark]
    public void GradientOfWeight() => Gemm.Run(
        Shape.Outputs, Shape.Inputs, Shape.Rows, new Matrix(_y, 1, Shape.Outputs), X, _dWeight, Shape.Inputs, new Epilogue { Accumulate = true });

    private void Forward(Epilogue epilogue) =>
        Gemm.Run(Shape.Rows, Shape.Outputs, Shape.Inputs, X, _packed, _y, Shape.Outputs, epilogue);
}

/// <summary>A linear layer over a number of rows.</summary>
public sealed record LinearShape(int Rows, int Inputs, int Outputs)
{
    public override string ToString() => $"{Rows} x {Inputs} -> {Outputs}";
}
