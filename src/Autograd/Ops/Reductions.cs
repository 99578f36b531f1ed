using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>The sum over one axis, which stays with extent 1.</summary>
    public static Tensor Sum(Tensor x, int axis)
    {
        CheckFloat(nameof(Sum), x);
        Shape shape = x.Shape;
        Tensor y = SumToShape(x, shape.With(axis, 1));
        return Tape.Record(nameof(Sum), y, [x], [], g => g.Set(0, Add(g.Output, Tensor.Zeros(shape, g.Output.DType, g.Output.Device))));
    }

    /// <summary>The sum of all elements, a scalar.</summary>
    public static Tensor Sum(Tensor x) => Reshape(Sum(Reshape(x, [1, checked((int)x.Count)]), 1), []);

    /// <summary>The mean over one axis, which stays with extent 1.</summary>
    public static Tensor Mean(Tensor x, int axis) => Scale(Sum(x, axis), 1.0 / x.Shape[axis]);

    /// <summary>The largest element along the last axis, which stays with extent 1; has no gradient.</summary>
    public static Tensor Max(Tensor x)
    {
        Tape.NotDifferentiable(nameof(Max), x);
        CheckFloat(nameof(Max), x);
        Tensor source = Contiguous(x);
        int columns = x.Shape[-1];
        if (columns == 0) throw new ArgumentException($"Max over the last axis of a tensor of shape {x.Shape}, which has no elements");
        Tensor y = x.EmptyLike(x.Shape.With(-1, 1));
        if (x.Device.IsCuda) Kernels.Cuda.Primitive.MaxRows(StreamOf(x), source.DevicePointer<float>(), y.Count, columns, y.DevicePointer<float>());
        else if (x.DType == DType.F64) Primitive.MaxRows(source.Pointer<double>(), y.Count, columns, y.Pointer<double>());
        else Primitive.MaxRows(source.Pointer<float>(), y.Count, columns, y.Pointer<float>());
        return y;
    }

    /// <summary>Softmax over the last axis: e^(x − max) / Σ e^(x − max).</summary>
    public static Tensor Softmax(Tensor x)
    {
        // The subtracted maximum cancels out of the value and of the gradient.
        Tensor e = Exp(Subtract(x, Max(x.Detach())));
        return Divide(e, Sum(e, -1));
    }

    /// <summary>Sums the axes along which <paramref name="shape"/> was broadcast to that of <paramref name="x"/>.</summary>
    internal static Tensor SumToShape(Tensor x, Shape shape)
    {
        Tensor y = Tensor.Zeros(shape, x.DType, x.Device);
        Layout from = LayoutOf(x, x.Shape), to = LayoutOf(y, x.Shape);
        if (x.Device.IsCuda) Kernels.Cuda.Primitive.SumInto(StreamOf(x), x.DevicePointer<float>(), from, y.DevicePointer<float>(), to);
        else if (x.DType == DType.F64) Primitive.SumInto(x.Pointer<double>(), from, y.Pointer<double>(), to);
        else Primitive.SumInto(x.Pointer<float>(), from, y.Pointer<float>(), to);
        return y;
    }
}
