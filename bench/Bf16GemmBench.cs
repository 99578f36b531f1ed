using BenchmarkDotNet.Attributes;
using Lavt.Kernels.Cpu;

namespace Lavt.Bench;

/// <summary>The linear layers with products of bfloat16; left out where the processor has none.</summary>
public unsafe class Bf16GemmBench
{
    private FloatArray _x = null!, _weight = null!, _y = null!;
    private PackedBf16Matrix _packed = null!;

    [ParamsSource(nameof(Shapes))]
    public LinearShape Shape { get; set; } = null!;

    public static IEnumerable<LinearShape> Shapes => GemmBench.Shapes;

    [GlobalSetup]
    public void Allocate()
    {
        _x = new FloatArray((long)Shape.Rows * Shape.Inputs);
        _y = new FloatArray((long)Shape.Rows * Shape.Outputs);
        _weight = new FloatArray((long)Shape.Inputs * Shape.Outputs);
        _packed = PackedBf16Matrix.Pack(_weight, Shape.Outputs, Shape.Inputs);
    }

    [GlobalCleanup]
    public void Free()
    {
        foreach (FloatArray array in (FloatArray[])[_x, _y, _weight]) array.Dispose();
        _packed.Dispose();
    }

    [Benchmark]
    public void Packed() => Bf16Gemm.Run(Shape.Rows, _x, Shape.Inputs, _packed, _y, Shape.Outputs, default);
}
