using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// The matrix products a[…, m, k] · b[…, k, n] = y[…, m, n]; leading extents are equal, or missing in
    /// <paramref name="b"/>, which then serves every matrix of <paramref name="a"/>. F32 or F64.
    /// </summary>
    public static Tensor MatMul(Tensor a, Tensor b)
    {
        CheckFloat(nameof(MatMul), a);
        if (a.Rank < 2 || b.Rank < 2 || a.DType != b.DType || a.Shape[-1] != b.Shape[-2])
            throw new ArgumentException($"MatMul: {a} and {b} do not go together; expected [..., m, k] and [..., k, n] of one type");
        if (b.Rank == 2 && a.Rank > 2)
        {
            int[] dims = a.Shape.ToArray();
            Tensor rows = Reshape(a, [checked((int)(a.Count / Math.Max(1, dims[^1]))), dims[^1]]);
            dims[^1] = b.Shape[1];
            return Reshape(MatMul(rows, b), new Shape(dims));
        }
        if (a.Rank != b.Rank) throw new ArgumentException($"MatMul: {a} and {b} have different numbers of leading axes");
        for (int i = 0; i < a.Rank - 2; i++)
            if (a.Shape[i] != b.Shape[i]) throw new ArgumentException($"MatMul: leading extents of {a} and {b} differ");

        Tensor y = MatMulForward(a, b);
        int[] swap = Enumerable.Range(0, a.Rank).ToArray();
        (swap[^1], swap[^2]) = (swap[^2], swap[^1]);
        return Tape.Record(nameof(MatMul), y, [a, b], [a, b], g =>
        {
            if (g.Needs(0)) g.Set(0, MatMulForward(g.Output, b.ViewPermuted(swap)));
            if (g.Needs(1)) g.Set(1, MatMulForward(a.ViewPermuted(swap), g.Output));
        });
    }

    private static Tensor MatMulForward(Tensor a, Tensor b)
    {
        int m = a.Shape[-2], k = a.Shape[-1], n = b.Shape[-1];
        if (b.Stride(-1) != 1 && !b.Device.IsCuda) b = CopyOf(b);
        Tensor y = a.EmptyLike(a.Shape.With(-1, n));
        long batches = y.Count / Math.Max(1, (long)m * n);
        Layout aAt = MatrixOffsets(a), bAt = MatrixOffsets(b);
        if (a.Device.IsCuda)
        {
            Matrix left = new(a.DevicePointer<float>(), (nint)a.Stride(-2), (nint)a.Stride(-1)), right = new(b.DevicePointer<float>(), (nint)b.Stride(-2), (nint)b.Stride(-1));
            if (a.Rank == 2) Kernels.Cuda.Gemm.Run(StreamOf(a), m, n, k, left, right, y.DevicePointer<float>(), n, default);
            else Kernels.Cuda.MatMul.Run(StreamOf(a), m, n, k, left, aAt, right, bAt, y.DevicePointer<float>());
            return y;
        }
        for (long i = 0; i < batches; i++)
        {
            long aOffset = OffsetOf(aAt, i), bOffset = OffsetOf(bAt, i);
            if (a.DType == DType.F64)
                Primitive.MatMul(m, n, k, a.Pointer<double>() + aOffset, a.Stride(-2), a.Stride(-1), b.Pointer<double>() + bOffset, b.Stride(-2), b.Stride(-1), y.Pointer<double>() + i * m * n);
            else
                Primitive.MatMul(m, n, k, a.Pointer<float>() + aOffset, a.Stride(-2), a.Stride(-1), b.Pointer<float>() + bOffset, b.Stride(-2), b.Stride(-1), y.Pointer<float>() + i * m * n);
        }
        return y;
    }

    private static Layout MatrixOffsets(Tensor x)
    {
        Layout layout = new() { Rank = x.Rank - 2 };
        for (int i = 0; i < layout.Rank; i++)
        {
            layout.Extents[i] = x.Shape[i];
            layout.Strides[i] = x.Stride(i);
        }
        return layout;
    }

    private static long OffsetOf(in Layout layout, long index)
    {
        long offset = 0;
        for (int axis = layout.Rank - 1; axis >= 0; axis--)
        {
            offset += index % layout.Extents[axis] * layout.Strides[axis];
            index /= layout.Extents[axis];
        }
        return offset;
    }
}
