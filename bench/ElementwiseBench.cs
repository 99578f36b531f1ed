using BenchmarkDotNet.Attributes;
using Lavt.Kernels.Cpu;

namespace Lavt.Bench;

/// <summary>Elementwise kernels at the size of the first stage's hidden layer in Swin-Base.</summary>
public unsafe class ElementwiseBench
{
    private const long Count = 14400L * 512;
    private FloatArray _a = null!, _b = null!, _c = null!, _y = null!;

    [GlobalSetup]
    public void Setup() => (_a, _b, _c, _y) = (new(Count), new(Count), new(Count), new(Count));

    [GlobalCleanup]
    public void Cleanup()
    {
        foreach (FloatArray array in (FloatArray[])[_a, _b, _c, _y]) array.Dispose();
    }

    [Benchmark]
    public void GeluForward() => Elementwise.Forward<Gelu>(_a, _y, Count);

    [Benchmark]
    public void GeluBackward() => Elementwise.Backward<Gelu>(_a, null, _b, _y, Count);

    [Benchmark]
    public void TanhForward() => Elementwise.Forward<Tanh>(_a, _y, Count);

    [Benchmark]
    public void Gate() => Elementwise.Gate(_a, _b, _c, _y, Count);

    [Benchmark]
    public double SumOfSquares() => Elementwise.SumOfSquares(_a, Count);
}
