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
        Tensor y = x.EmptyLike(x.Shape);
        GateInto(t, r, x, y);
        if (Tape.Needs(t, r, x))
            Tape.Repeatable(y, [t, r, x], () => GateInto(t, r, x, y));
        return Tape.Record(nameof(Gate), y, [t, r, x], [t, r], g =>
        {
            Tensor dt = t.EmptyLike(t.Shape), dr = r.EmptyLike(r.Shape);
            if (t.Device.IsCuda) Kernels.Cuda.Elementwise.MultiplyBackward(StreamOf(t), t.DevicePointer<float>(), r.DevicePointer<float>(), g.Output.DevicePointer<float>(), dt.DevicePointer<float>(), dr.DevicePointer<float>(), t.Count);
            else Elementwise.MultiplyBackward(t.Pointer<float>(), r.Pointer<float>(), g.Output.Pointer<float>(), dt.Pointer<float>(), dr.Pointer<float>(), t.Count);
            g.Set(0, dt);
            g.Set(1, dr);
            g.Set(2, g.Output);
        });
    }

    private static void GateInto(Tensor t, Tensor r, Tensor x, Tensor y)
    {
        if (x.Device.IsCuda) Kernels.Cuda.Elementwise.Gate(StreamOf(x), t.DevicePointer<float>(), r.DevicePointer<float>(), x.DevicePointer<float>(), y.DevicePointer<float>(), x.Count);
        else Elementwise.Gate(t.Pointer<float>(), r.Pointer<float>(), x.Pointer<float>(), y.Pointer<float>(), x.Count);
    }

    internal static Tensor GateComposed(Tensor t, Tensor r, Tensor x) => Add(x, Multiply(t, r));
}
