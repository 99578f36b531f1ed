using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Autograd;

/// <summary>
/// The operations on tensors. Each checks its arguments, runs the kernel of the tensors' device, and records how its
/// gradient is computed.
/// </summary>
/// <remarks>Binary operations broadcast as NumPy does: shapes are aligned at the end, and extents of 1 are repeated.</remarks>
public static unsafe partial class Ops
{
    /// <summary>a + b, broadcast.</summary>
    public static Tensor Add(Tensor a, Tensor b) => Tape.Record(nameof(Add), AddWithoutTape(a, b), [a, b], [], g =>
    {
        g.Set(0, g.Output);
        g.Set(1, g.Output);
    });

    /// <summary>a − b, broadcast.</summary>
    public static Tensor Subtract(Tensor a, Tensor b) => Tape.Record(nameof(Subtract), Zip<SubtractFunction<float>, SubtractFunction<double>>(nameof(Subtract), a, b), [a, b], [], g =>
    {
        g.Set(0, g.Output);
        if (g.Needs(1)) g.Set(1, Scale(g.Output, -1));
    });

    /// <summary>a · b element by element, broadcast.</summary>
    public static Tensor Multiply(Tensor a, Tensor b)
    {
        Tensor y = MultiplyWithoutTape(a, b);
        if (AreDense(a, b) && Tape.Needs(a, b))
            Tape.Repeatable(y, [a, b], () => MultiplyInto(a, b, y));
        return Tape.Record(nameof(Multiply), y, [a, b], [a, b], g =>
        {
            if (g.Needs(0)) g.Set(0, Multiply(g.Output, b));
            if (g.Needs(1)) g.Set(1, Multiply(g.Output, a));
        });
    }

    /// <summary>a / b element by element, broadcast.</summary>
    public static Tensor Divide(Tensor a, Tensor b) => Tape.Record(nameof(Divide), Zip<DivideFunction<float>, DivideFunction<double>>(nameof(Divide), a, b), [a, b], [a, b], g =>
    {
        if (g.Needs(0)) g.Set(0, Divide(g.Output, b));
        if (g.Needs(1)) g.Set(1, Scale(Divide(Multiply(g.Output, a), Multiply(b, b)), -1));
    });

    /// <summary>e^x.</summary>
    public static Tensor Exp(Tensor x)
    {
        Tensor y = Map<ExpFunction<float>, ExpFunction<double>>(nameof(Exp), x);
        return Tape.Record(nameof(Exp), y, [x], [y], g => g.Set(0, Multiply(g.Output, y)));
    }

    /// <summary>The natural logarithm.</summary>
    public static Tensor Log(Tensor x) =>
        Tape.Record(nameof(Log), Map<LogFunction<float>, LogFunction<double>>(nameof(Log), x), [x], [x], g => g.Set(0, Divide(g.Output, x)));

    /// <summary>The square root.</summary>
    public static Tensor Sqrt(Tensor x)
    {
        Tensor y = Map<SqrtFunction<float>, SqrtFunction<double>>(nameof(Sqrt), x);
        return Tape.Record(nameof(Sqrt), y, [x], [y], g => g.Set(0, Scale(Divide(g.Output, y), 0.5)));
    }

    /// <summary>The error function.</summary>
    public static Tensor Erf(Tensor x) =>
        Tape.Record(nameof(Erf), Map<ErfFunction<float>, ErfFunction<double>>(nameof(Erf), x), [x], [x], g =>
            g.Set(0, Multiply(g.Output, Scale(Exp(Scale(Multiply(x, x), -1)), 2 / Math.Sqrt(Math.PI)))));

    /// <summary>1 where x &gt; 0, else 0; has no gradient.</summary>
    public static Tensor Positive(Tensor x)
    {
        Tape.NotDifferentiable(nameof(Positive), x);
        return Map<PositiveFunction<float>, PositiveFunction<double>>(nameof(Positive), x);
    }

    /// <summary>x · factor.</summary>
    public static Tensor Scale(Tensor x, double factor)
    {
        Tensor y = Zip<MultiplyFunction<float>, MultiplyFunction<double>>(nameof(Scale), x, Full([], factor, x.DType, x.Device));
        return Tape.Record(nameof(Scale), y, [x], [], g => g.Set(0, Scale(g.Output, factor)));
    }

    /// <summary>x + term.</summary>
    public static Tensor AddScalar(Tensor x, double term)
    {
        Tensor y = Zip<AddFunction<float>, AddFunction<double>>(nameof(AddScalar), x, Full([], term, x.DType, x.Device));
        return Tape.Record(nameof(AddScalar), y, [x], [], g => g.Set(0, g.Output));
    }

    /// <summary>A tensor of one value throughout.</summary>
    public static Tensor Full(Shape shape, double value, DType dtype = DType.F32, Device device = default)
    {
        Tensor tensor = Tensor.Empty(shape, dtype, device);
        if (device.IsCuda) Kernels.Cuda.Elementwise.Fill(CudaStream.Of(device), tensor.DevicePointer<float>(), (float)value, tensor.Count);
        else if (dtype == DType.F64) tensor.Span<double>().Fill(value);
        else tensor.Span<float>().Fill((float)value);
        return tensor;
    }

    internal static Tensor AddWithoutTape(Tensor a, Tensor b)
    {
        if (!AreDense(a, b)) return Zip<AddFunction<float>, AddFunction<double>>(nameof(Add), a, b);
        Tensor y = a.EmptyLike(a.Shape);
        if (a.Device.IsCuda) Kernels.Cuda.Elementwise.Add(StreamOf(a), a.DevicePointer<float>(), b.DevicePointer<float>(), y.DevicePointer<float>(), y.Count);
        else Kernels.Cpu.Elementwise.Add(a.Pointer<float>(), b.Pointer<float>(), y.Pointer<float>(), y.Count);
        return y;
    }

    internal static void AddInPlace(Tensor sum, Tensor term)
    {
        if (AreDense(sum, term))
        {
            if (sum.Device.IsCuda) Kernels.Cuda.Elementwise.Add(StreamOf(sum), sum.DevicePointer<float>(), term.DevicePointer<float>(), sum.DevicePointer<float>(), sum.Count);
            else Kernels.Cpu.Elementwise.AddTo(sum.Pointer<float>(), term.Pointer<float>(), sum.Count);
            return;
        }
        Layout left = LayoutOf(sum, sum.Shape), right = LayoutOf(term, sum.Shape);
        if (sum.Device.IsCuda) Kernels.Cuda.Primitive.Zip<AddFunction<float>>(StreamOf(sum), sum.DevicePointer<float>(), left, term.DevicePointer<float>(), right, sum.DevicePointer<float>());
        else if (sum.DType == DType.F64) Primitive.Zip<double, AddFunction<double>>(sum.Pointer<double>(), left, term.Pointer<double>(), right, sum.Pointer<double>());
        else Primitive.Zip<float, AddFunction<float>>(sum.Pointer<float>(), left, term.Pointer<float>(), right, sum.Pointer<float>());
    }

    private static Tensor MultiplyWithoutTape(Tensor a, Tensor b)
    {
        if (!AreDense(a, b)) return Zip<MultiplyFunction<float>, MultiplyFunction<double>>(nameof(Multiply), a, b);
        Tensor y = a.EmptyLike(a.Shape);
        MultiplyInto(a, b, y);
        return y;
    }

    private static void MultiplyInto(Tensor a, Tensor b, Tensor y)
    {
        if (a.Device.IsCuda) Kernels.Cuda.Elementwise.Multiply(StreamOf(a), a.DevicePointer<float>(), b.DevicePointer<float>(), y.DevicePointer<float>(), y.Count);
        else Kernels.Cpu.Elementwise.Multiply(a.Pointer<float>(), b.Pointer<float>(), y.Pointer<float>(), y.Count);
    }

    /// <summary>Whether the fast kernels apply: F32, equal shapes, no gaps.</summary>
    private static bool AreDense(Tensor a, Tensor b) =>
        a.DType == DType.F32 && b.DType == DType.F32 && a.Shape == b.Shape && a.IsContiguous && b.IsContiguous;

    private static Tensor Map<TSingle, TDouble>(string operation, Tensor x)
        where TSingle : struct, IUnaryFunction<float>
        where TDouble : struct, IUnaryFunction<double>
    {
        CheckFloat(operation, x);
        Tensor y = x.EmptyLike(x.Shape);
        Layout layout = LayoutOf(x, x.Shape);
        if (x.Device.IsCuda) Kernels.Cuda.Primitive.Map<TSingle>(StreamOf(x), x.DevicePointer<float>(), layout, y.DevicePointer<float>());
        else if (x.DType == DType.F64) Primitive.Map<double, TDouble>(x.Pointer<double>(), layout, y.Pointer<double>());
        else Primitive.Map<float, TSingle>(x.Pointer<float>(), layout, y.Pointer<float>());
        return y;
    }

    private static Tensor Zip<TSingle, TDouble>(string operation, Tensor a, Tensor b)
        where TSingle : struct, IBinaryFunction<float>
        where TDouble : struct, IBinaryFunction<double>
    {
        CheckFloat(operation, a);
        if (a.DType != b.DType) throw new ArgumentException($"{operation}: element types differ, {a.DType} and {b.DType}");
        Shape shape = Broadcast(operation, a.Shape, b.Shape);
        Tensor y = a.EmptyLike(shape);
        Layout left = LayoutOf(a, shape), right = LayoutOf(b, shape);
        if (a.Device.IsCuda) Kernels.Cuda.Primitive.Zip<TSingle>(StreamOf(a), a.DevicePointer<float>(), left, b.DevicePointer<float>(), right, y.DevicePointer<float>());
        else if (a.DType == DType.F64) Primitive.Zip<double, TDouble>(a.Pointer<double>(), left, b.Pointer<double>(), right, y.Pointer<double>());
        else Primitive.Zip<float, TSingle>(a.Pointer<float>(), left, b.Pointer<float>(), right, y.Pointer<float>());
        return y;
    }

    private static void CheckFloat(string operation, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.DType is not (DType.F32 or DType.F64))
            throw new ArgumentException($"{operation} computes on F32 or F64, got a tensor of type {x.DType}");
    }

    private static Shape Broadcast(string operation, Shape a, Shape b)
    {
        int rank = Math.Max(a.Rank, b.Rank);
        Span<int> dims = stackalloc int[rank];
        for (int i = 1; i <= rank; i++)
        {
            int left = i <= a.Rank ? a[-i] : 1, right = i <= b.Rank ? b[-i] : 1;
            if (left != right && left != 1 && right != 1)
                throw new ArgumentException($"{operation}: shapes {a} and {b} do not go together (extents {left} and {right})");
            dims[rank - i] = left == 1 ? right : left;
        }
        return new Shape(dims);
    }

    /// <summary>How to walk <paramref name="tensor"/> as if it had the extents of <paramref name="shape"/>, to which it broadcasts.</summary>
    private static Layout LayoutOf(Tensor tensor, Shape shape)
    {
        Layout layout = new() { Rank = shape.Rank };
        for (int i = 1; i <= shape.Rank; i++)
        {
            int axis = shape.Rank - i;
            layout.Extents[axis] = shape[-i];
            layout.Strides[axis] = i <= tensor.Rank && tensor.Shape[-i] != 1 ? tensor.Stride(-i) : 0;
        }
        return layout;
    }
}
