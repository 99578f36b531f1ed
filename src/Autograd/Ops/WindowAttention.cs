using Lavt.Kernels;
using Lavt.Tensors;
using ProductPrecision = Lavt.Kernels.Cuda.ProductPrecision;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// Attention within shifted windows (Liu et al., "Swin transformer", 2021; "Video Swin Transformer", 2022) on a map in its
    /// own order, frames x rows x columns; padding, shift, partition, position bias and mask happen in the addressing, and no
    /// probabilities are kept for the backward pass. A picture is a map of one frame with windows of one frame.
    /// </summary>
    /// <param name="qkv">Queries, keys and values [B, T·H·W, 3C], each head-major.</param>
    /// <param name="qkvBias">[3C], the queries, keys and values of the zero tokens that pad the map to whole windows.</param>
    /// <param name="biasTable">Relative position bias [(2t − 1)(2h − 1)(2w − 1), heads] of a <paramref name="tableWindow"/> of t x h x w.</param>
    /// <param name="map">The extents of the map in tokens.</param>
    /// <param name="window">The extents of a window.</param>
    /// <param name="shift">How far the windows are shifted along each axis, less than the window.</param>
    /// <param name="tableWindow">
    /// The window that the table is for. Video Swin shrinks the window along axes that are not larger, and keeps the table: token
    /// i of the smaller window then has the biases of token i of this one, both counted in rows.
    /// </param>
    /// <param name="precision">To what a GPU rounds the operands of the forward pass.</param>
    /// <returns>[B, T·H·W, C].</returns>
    public static Tensor WindowAttention(Tensor qkv, Tensor qkvBias, Tensor biasTable, Volume map, Volume window, Volume shift, Volume tableWindow, ProductPrecision precision = ProductPrecision.Float32)
    {
        if (qkv.DType is not (DType.BF16 or DType.F16)) CheckFloat(nameof(WindowAttention), qkv);
        int heads = biasTable.Shape[1], channels = qkv.Shape[-1] / 3;
        if (qkv.Rank != 3 || qkv.Shape[1] != map.Count || qkvBias.Count != qkv.Shape[2] || channels % heads != 0)
            throw new ArgumentException($"WindowAttention: {qkv} with a bias of {qkvBias.Count} does not fit a {map} map with {heads} heads");
        if (biasTable.Shape[0] != Span(tableWindow).Count)
            throw new ArgumentException($"WindowAttention: a window of {tableWindow} needs a table of {Span(tableWindow).Count} rows, got {biasTable.Shape}");
        if (window.Count > tableWindow.Count)
            throw new ArgumentException($"WindowAttention: a window of {window} has more tokens than the {tableWindow} that the table is for");
        if (qkv.DType == DType.F64) return WindowAttentionComposed(qkv, qkvBias, biasTable, map, window, shift, tableWindow);
        if (qkv.DType != DType.F32) return WindowAttentionRounded(qkv, qkvBias, biasTable, map, window, shift, tableWindow);
        (qkv, qkvBias, biasTable) = (Contiguous(qkv), Contiguous(qkvBias), Contiguous(biasTable));
        int batch = qkv.Shape[0], headDim = channels / heads;
        Tensor y = qkv.EmptyLike([batch, map.Count, channels]);
        if (qkv.Device.IsCuda) Kernels.Cuda.WindowAttention.Forward(StreamOf(qkv), qkv.DevicePointer<float>(), qkvBias.DevicePointer<float>(), biasTable.DevicePointer<float>(), y.DevicePointer<float>(), batch, heads, headDim, map, window, shift, tableWindow, precision);
        else Kernels.Cpu.WindowAttention.Forward(qkv.Pointer<float>(), qkvBias.Pointer<float>(), biasTable.Pointer<float>(), y.Pointer<float>(), batch, heads, headDim, map, window, shift, tableWindow);
        return Tape.Record(nameof(WindowAttention), y, [qkv, qkvBias, biasTable], [qkv, qkvBias, biasTable], g =>
        {
            Tensor dQkv = qkv.EmptyLike(qkv.Shape), dBias = Tensor.Zeros(qkvBias.Shape, DType.F32, qkv.Device), dTable = Tensor.Zeros(biasTable.Shape, DType.F32, qkv.Device);
            if (qkv.Device.IsCuda) Kernels.Cuda.WindowAttention.Backward(StreamOf(qkv), qkv.DevicePointer<float>(), qkvBias.DevicePointer<float>(), biasTable.DevicePointer<float>(), g.Output.DevicePointer<float>(), dQkv.DevicePointer<float>(), dBias.DevicePointer<float>(), dTable.DevicePointer<float>(), batch, heads, headDim, map, window, shift, tableWindow);
            else Kernels.Cpu.WindowAttention.Backward(qkv.Pointer<float>(), qkvBias.Pointer<float>(), biasTable.Pointer<float>(), g.Output.Pointer<float>(), dQkv.Pointer<float>(), dBias.Pointer<float>(), dTable.Pointer<float>(), batch, heads, headDim, map, window, shift, tableWindow);
            g.Set(0, dQkv);
            g.Set(1, dBias);
            g.Set(2, dTable);
        });
    }

    internal static Tensor WindowAttentionComposed(Tensor qkv, Tensor qkvBias, Tensor biasTable, Volume map, Volume window, Volume shift, Volume tableWindow)
    {
        int batch = qkv.Shape[0], heads = biasTable.Shape[1], channels = qkv.Shape[2] / 3, size = window.Count;
        Volume counts = new(Cover(map.Frames, window.Frames), Cover(map.Height, window.Height), Cover(map.Width, window.Width));
        int windows = counts.Count;

        // Zero tokens become the bias in the projection: pad with zeros and add the bias where there is padding.
        Tensor x = PadTo(Reshape(qkv, [batch, map.Frames, map.Height, map.Width, 3 * channels]));
        Tensor inside = PadTo(Full([1, map.Frames, map.Height, map.Width, 1], 1, qkv.DType));
        x = Add(x, Multiply(Subtract(Full(inside.Shape, 1, qkv.DType), inside), qkvBias));
        x = Roll(Roll(Roll(x, 1, -shift.Frames), 2, -shift.Height), 3, -shift.Width);

        Tensor parts = Reshape(x, [batch, counts.Frames, window.Frames, counts.Height, window.Height, counts.Width, window.Width, 3 * channels]);
        parts = Permute(parts, 0, 1, 3, 5, 2, 4, 6, 7);
        Tensor heads3 = Permute(Reshape(parts, [batch * windows, size, 3, heads, channels / heads]), 2, 0, 3, 1, 4);
        Tensor q = Part(heads3, 0), k = Part(heads3, 1), v = Part(heads3, 2);

        Tensor scores = Scale(MatMul(q, Permute(k, 0, 1, 3, 2)), 1 / Math.Sqrt(channels / heads));
        Tensor positions = Contiguous(Slice(Slice(RelativePositions(tableWindow), 0, 0, size), 1, 0, size));
        scores = Add(scores, Permute(Gather(biasTable, positions), 2, 0, 1));
        scores = Add(Reshape(scores, [batch, windows, heads, size, size]), ShiftMask(counts, window, shift, qkv.DType));
        Tensor y = MatMul(Reshape(Softmax(scores), [batch * windows, heads, size, size]), v);

        y = Reshape(Permute(y, 0, 2, 1, 3), [batch, counts.Frames, counts.Height, counts.Width, window.Frames, window.Height, window.Width, channels]);
        y = Reshape(Permute(y, 0, 1, 4, 2, 5, 3, 6, 7), [batch, x.Shape[1], x.Shape[2], x.Shape[3], channels]);
        y = Roll(Roll(Roll(y, 1, shift.Frames), 2, shift.Height), 3, shift.Width);
        y = Slice(Slice(Slice(y, 1, 0, map.Frames), 2, 0, map.Height), 3, 0, map.Width);
        return Reshape(y, [batch, map.Count, channels]);

        static int Cover(int extent, int window) => (extent + window - 1) / window;

        Tensor PadTo(Tensor t) =>
            Pad(Pad(Pad(t, 1, 0, counts.Frames * window.Frames - map.Frames), 2, 0, counts.Height * window.Height - map.Height),
                3, 0, counts.Width * window.Width - map.Width);

        static Tensor Part(Tensor all, int index) => Reshape(Slice(all, 0, index, 1), new Shape(all.Shape.ToArray()[1..]));
    }

    /// <summary>The row of the bias table for each pair of tokens of a window: [N, N], I64.</summary>
    public static Tensor RelativePositions(Volume window)
    {
        int size = window.Count;
        Volume span = Span(window);
        Tensor index = Tensor.Empty([size, size], DType.I64);
        Span<long> values = index.Span<long>();
        for (int i = 0; i < size; i++)
        {
            for (int j = 0; j < size; j++)
            {
                int t = i / window.Plane - j / window.Plane, y = i / window.Width % window.Height - j / window.Width % window.Height;
                int row = (t + window.Frames - 1) * span.Height + y + window.Height - 1;
                values[i * size + j] = row * span.Width + i % window.Width - j % window.Width + window.Width - 1;
            }
        }
        return index;
    }

    /// <summary>How many differences of positions a window has along each axis.</summary>
    private static Volume Span(Volume window) => new(2 * window.Frames - 1, 2 * window.Height - 1, 2 * window.Width - 1);

    /// <summary>−100 between tokens of a window that are not neighbours in the map, else 0: [1, windows, 1, N, N].</summary>
    private static Tensor ShiftMask(Volume counts, Volume window, Volume shift, DType dtype)
    {
        int size = window.Count, windows = counts.Count;
        Tensor mask = Full([1, windows, 1, size, size], 0, dtype);
        if (shift == default) return mask;
        for (int w = 0; w < windows; w++)
            for (int i = 0; i < size; i++)
                for (int j = 0; j < size; j++)
                    if (Region(w, i) != Region(w, j))
                        mask.Span<double>()[(w * size + i) * size + j] = -100;
        return mask;

        (int Frames, int Rows, int Columns) Region(int w, int token) => (
            Band(w / counts.Plane, token / window.Plane, counts.Frames, window.Frames, shift.Frames),
            Band(w / counts.Width % counts.Height, token / window.Width % window.Height, counts.Height, window.Height, shift.Height),
            Band(w % counts.Width, token % window.Width, counts.Width, window.Width, shift.Width));

        static int Band(int index, int inWindow, int count, int window, int shift) =>
            shift == 0 || index < count - 1 ? 0 : inWindow < window - shift ? 1 : 2;
    }

    /// <summary>Moves the elements along an axis by <paramref name="by"/> places, around the end.</summary>
    private static Tensor Roll(Tensor x, int axis, int by)
    {
        int extent = x.Shape[axis], start = ((-by % extent) + extent) % extent;
        return start == 0 ? x : Concat(axis, Slice(x, axis, start, extent - start), Slice(x, axis, 0, start));
    }
}
