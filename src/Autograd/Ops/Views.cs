using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>The same numbers with other extents; a copy only if <paramref name="x"/> is not contiguous.</summary>
    public static Tensor Reshape(Tensor x, Shape shape)
    {
        Tensor source = Contiguous(x);
        Shape before = x.Shape;
        return Tape.Record(nameof(Reshape), source.ViewAs(shape), [source], [], g => g.Set(0, g.Output.ViewAs(before)));
    }

    /// <summary>A view with the axes in another order: axis i of the result is axis <c>axes[i]</c> of <paramref name="x"/>.</summary>
    public static Tensor Permute(Tensor x, params int[] axes)
    {
        int[] inverse = new int[axes.Length];
        for (int i = 0; i < axes.Length; i++) inverse[x.Shape.Axis(axes[i])] = i;
        return Tape.Record(nameof(Permute), x.ViewPermuted(axes), [x], [], g => g.Set(0, g.Output.ViewPermuted(inverse)));
    }

    /// <summary>A view of the part <paramref name="start"/> … <paramref name="start"/> + <paramref name="length"/> of one axis.</summary>
    public static Tensor Slice(Tensor x, int axis, int start, int length)
    {
        Shape whole = x.Shape;
        return Tape.Record(nameof(Slice), x.ViewSlice(axis, start, length), [x], [], g =>
        {
            Tensor dx = Tensor.Zeros(whole, g.Output.DType, g.Output.Device);
            Place(g.Output, dx.ViewSlice(axis, start, length));
            g.Set(0, dx);
        });
    }

    /// <summary>The tensor itself if it is contiguous, otherwise a contiguous copy.</summary>
    public static Tensor Contiguous(Tensor x)
    {
        if (x.IsContiguous) return x;
        return Tape.Record(nameof(Contiguous), CopyOf(x), [x], [], g => g.Set(0, g.Output));
    }

    /// <summary>A contiguous copy, of views too; not recorded.</summary>
    internal static Tensor CopyOf(Tensor x)
    {
        if (!x.Device.IsCuda || x.IsContiguous) return x.Copy();
        Tensor copy = x.EmptyLike(x.Shape);
        Place(x, copy);
        return copy;
    }

    /// <summary>The tensors one after the other along an axis; the other extents must be equal.</summary>
    public static Tensor Concat(int axis, params Tensor[] parts)
    {
        axis = parts[0].Shape.Axis(axis);
        int total = 0;
        foreach (Tensor part in parts)
        {
            if (part.Rank != parts[0].Rank || part.Shape.With(axis, 0) != parts[0].Shape.With(axis, 0))
                throw new ArgumentException($"Concat along axis {axis}: shapes {parts[0].Shape} and {part.Shape} differ elsewhere");
            total += part.Shape[axis];
        }
        Tensor y = parts[0].EmptyLike(parts[0].Shape.With(axis, total));
        int at = 0;
        foreach (Tensor part in parts)
        {
            Place(part, y.ViewSlice(axis, at, part.Shape[axis]));
            at += part.Shape[axis];
        }
        return Tape.Record(nameof(Concat), y, parts, [], g =>
        {
            int start = 0;
            for (int i = 0; i < parts.Length; i++)
            {
                int length = parts[i].Shape[axis];
                if (g.Needs(i)) g.Set(i, CopyOf(g.Output.ViewSlice(axis, start, length)));
                start += length;
            }
        });
    }

    /// <summary>Adds zeros before and after one axis.</summary>
    public static Tensor Pad(Tensor x, int axis, int before, int after)
    {
        axis = x.Shape.Axis(axis);
        if (before == 0 && after == 0) return x;
        int length = x.Shape[axis];
        Tensor y = Tensor.Zeros(x.Shape.With(axis, before + length + after), x.DType, x.Device);
        Place(x, y.ViewSlice(axis, before, length));
        return Tape.Record(nameof(Pad), y, [x], [], g => g.Set(0, CopyOf(g.Output.ViewSlice(axis, before, length))));
    }

    /// <summary>
    /// Rows of <paramref name="table"/> [R, …] by their numbers (I64, any shape): result [shape of ids, …]. On a GPU it is
    /// <see cref="Embedding"/>, for F32.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">A number is no row; on a GPU, see <see cref="Embedding"/>.</exception>
    /// <exception cref="MissingKernelException">The table is on a GPU and not F32.</exception>
    public static Tensor Gather(Tensor table, Tensor ids)
    {
        CheckFloat(nameof(Gather), table);
        Tensor source = Contiguous(table);
        long width = source.Count / Math.Max(1, source.Shape[0]);
        Shape result = new([.. ids.Shape.ToArray(), .. source.Shape.ToArray()[1..]]);
        if (table.Device.IsCuda)
        {
            if (table.DType != DType.F32) throw new MissingKernelException($"{nameof(Gather)} of {table.DType} has no kernel for {table.Device}; F32 has one");
            return Reshape(Embedding(Reshape(source, [source.Shape[0], checked((int)width)]), ids), result);
        }
        long[] rows = ids.ToArray<long>();
        Tensor y = Tensor.Empty(result, source.DType);
        long bytes = width * source.DType.Size();
        byte* from = (byte*)source.Storage.Data + source.Offset * source.DType.Size(), to = (byte*)y.Storage.Data;
        for (int i = 0; i < rows.Length; i++)
        {
            if (rows[i] < 0 || rows[i] >= source.Shape[0])
                throw new ArgumentOutOfRangeException(nameof(ids), $"Gather: row {rows[i]} of a table with {source.Shape[0]} rows");
            Buffer.MemoryCopy(from + rows[i] * bytes, to + i * bytes, bytes, bytes);
        }
        Shape shape = table.Shape;
        return Tape.Record(nameof(Gather), y, [source], [], g =>
        {
            Tensor dTable = Tensor.Zeros(shape, g.Output.DType);
            for (int i = 0; i < rows.Length; i++)
                AddInPlace(dTable.ViewAs([shape[0], (int)width]).ViewSlice(0, (int)rows[i], 1), g.Output.ViewAs([rows.Length, (int)width]).ViewSlice(0, i, 1));
            g.Set(0, dTable);
        });
    }

    private static void Place(Tensor source, Tensor view)
    {
        Layout from = LayoutOf(source, source.Shape), to = LayoutOf(view, source.Shape);
        if (source.Device.IsCuda)
        {
            Kernels.Cuda.Primitive.Scatter(StreamOf(source), source.DType.Size(), (void*)source.Address, from, (void*)view.Address, to);
            return;
        }
        if (source.DType.Size() == 8) Primitive.Scatter((long*)source.Storage.Data + source.Offset, from, (long*)view.Storage.Data + view.Offset, to);
        else Primitive.Scatter((int*)source.Storage.Data + source.Offset, from, (int*)view.Storage.Data + view.Offset, to);
    }
}
