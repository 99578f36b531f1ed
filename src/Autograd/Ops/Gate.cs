using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>x + t · r element by element: the language gate of LAVT (eq. 6), t the gate's values, r the fused features.</summary>
    public static Tensor Gate(Tensor t, Tensor r, Tensor x)
    {
        CheckFloat(nameof(Gate), x);
        if (t.Shape != x.Shape || r.Shape != x.Shape) throw new ArgumentException($"Gate: shapes differ: {t.Shape}, {r.Shape}, {x.Shape}");
        if (x.DType == DType.F64) return GateComposed(t, r, x);
        (t, r, x) = (Contiguous(t), Contiguous(r), Contiguous(x));
        Tensor y = Tensor.Empty(x.Shape);
        Elementwise.Gate(t.Pointer<float>(), r.Pointer<float>(), x.Pointer<float>(), y.Pointer<float>(), x.Count);
        if (Tape.Needs(t, r, x))
            Tape.Repeatable(y, [t, r, x], () => Elementwise.Gate(t.Pointer<float>(), r.Pointer<float>(), x.Pointer<float>(), y.Pointer<float>(), y.Count));
        return Tape.Record(nameof(Gate), y, [t, r, x], [t, r], g =>
        {
            Tensor dt = Tensor.Empty(t.Shape), dr = Tensor.Empty(r.Shape);
            Elementwise.MultiplyBackward(t.Pointer<float>(), r.Pointer<float>(), g.Output.Pointer<float>(), dt.Pointer<float>(), dr.Pointer<float>(), t.Count);
            g.Set(0, dt);
            g.Set(1, dr);
            g.Set(2, g.Output);
        });
    }

    internal static Tensor GateComposed(Tensor t, Tensor r, Tensor x) => Add(x, Multiply(t, r));
}
