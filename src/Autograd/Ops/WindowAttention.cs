using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// Attention within shifted windows (Liu et al., "Swin transformer", 2021) on a map in picture order; padding, shift,
    /// partition, position bias and mask happen in the addressing, and no probabilities are kept for the backward pass.
    /// </summary>
    /// <param name="qkv">Queries, keys and values [B, H·W, 3C], each head-major.</param>
    /// <param name="qkvBias">[3C], the queries, keys and values of the zero tokens that pad the map to whole windows.</param>
    /// <param name="biasTable">Relative position bias [(2w − 1)², heads].</param>
    /// <param name="height">Rows of the map.</param>
    /// <param name="width">Columns of the map.</param>
    /// <param name="window">Rows and columns of a window, w.</param>
    /// <param name="shift">How far the windows are shifted, 0 or w / 2.</param>
    /// <returns>[B, H·W, C].</returns>
    public static Tensor WindowAttention(Tensor qkv, Tensor qkvBias, Tensor biasTable, int height, int width, int window, int shift)
    {
        CheckFloat(nameof(WindowAttention), qkv);
        int heads = biasTable.Shape[1], channels = qkv.Shape[-1] / 3;
        if (qkv.Rank != 3 || qkv.Shape[1] != height * width || qkvBias.Count != qkv.Shape[2] || channels % heads != 0)
            throw new ArgumentException($"WindowAttention: {qkv} with a bias of {qkvBias.Count} does not fit a {height}x{width} map with {heads} heads");
        if (biasTable.Shape[0] != (2 * window - 1) * (2 * window - 1))
            throw new ArgumentException($"WindowAttention: a window of {window} needs a table of {(2 * window - 1) * (2 * window - 1)} rows, got {biasTable.Shape}");
        if (qkv.DType == DType.F64) return WindowAttentionComposed(qkv, qkvBias, biasTable, height, width, window, shift);
        (qkv, qkvBias, biasTable) = (Contiguous(qkv), Contiguous(qkvBias), Contiguous(biasTable));
        int batch = qkv.Shape[0], headDim = channels / heads;
        Tensor y = Tensor.Empty([batch, height * width, channels]);
        Kernels.Cpu.WindowAttention.Forward(qkv.Pointer<float>(), qkvBias.Pointer<float>(), biasTable.Pointer<float>(), y.Pointer<float>(), batch, height, width, heads, headDim, window, shift);
        return Tape.Record(nameof(WindowAttention), y, [qkv, qkvBias, biasTable], [qkv, qkvBias, biasTable], g =>
        {
            Tensor dQkv = Tensor.Empty(qkv.Shape), dBias = Tensor.Zeros(qkvBias.Shape), dTable = Tensor.Zeros(biasTable.Shape);
            Kernels.Cpu.WindowAttention.Backward(qkv.Pointer<float>(), qkvBias.Pointer<float>(), biasTable.Pointer<float>(), g.Output.Pointer<float>(), dQkv.Pointer<float>(), dBias.Pointer<float>(), dTable.Pointer<float>(), batch, height, width, heads, headDim, window, shift);
            g.Set(0, dQkv);
            g.Set(1, dBias);
            g.Set(2, dTable);
        });
    }

    internal static Tensor WindowAttentionComposed(Tensor qkv, Tensor qkvBias, Tensor biasTable, int height, int width, int window, int shift)
    {
        int batch = qkv.Shape[0], heads = biasTable.Shape[1], channels = qkv.Shape[2] / 3, size = window * window;
        int down = (window - height % window) % window, right = (window - width % window) % window;
        (int rows, int columns) = (height + down, width + right);

        // Zero tokens become the bias in the projection: pad with zeros and add the bias where there is padding.
        Tensor map = Pad(Pad(Reshape(qkv, [batch, height, width, 3 * channels]), 1, 0, down), 2, 0, right);
        Tensor padding = Subtract(Full([1, rows, columns, 1], 1, qkv.DType), Pad(Pad(Full([1, height, width, 1], 1, qkv.DType), 1, 0, down), 2, 0, right));
        map = Add(map, Multiply(padding, qkvBias));
        map = Roll(Roll(map, 1, -shift), 2, -shift);

        int windows = rows / window * (columns / window);
        Tensor parts = Permute(Reshape(map, [batch, rows / window, window, columns / window, window, 3 * channels]), 0, 1, 3, 2, 4, 5);
        Tensor heads3 = Permute(Reshape(parts, [batch * windows, size, 3, heads, channels / heads]), 2, 0, 3, 1, 4);
        Tensor q = Part(heads3, 0), k = Part(heads3, 1), v = Part(heads3, 2);

        Tensor scores = Scale(MatMul(q, Permute(k, 0, 1, 3, 2)), 1 / Math.Sqrt(channels / heads));
        Tensor bias = Permute(Gather(biasTable, RelativePositions(window)), 2, 0, 1);
        scores = Reshape(Add(scores, bias), [batch, windows, heads, size, size]);
        scores = Add(scores, ShiftMask(rows, columns, window, shift, qkv.DType));
        Tensor y = MatMul(Reshape(Softmax(scores), [batch * windows, heads, size, size]), v);

        y = Reshape(Permute(y, 0, 2, 1, 3), [batch, rows / window, columns / window, window, window, channels]);
        y = Reshape(Permute(y, 0, 1, 3, 2, 4, 5), [batch, rows, columns, channels]);
        y = Roll(Roll(y, 1, shift), 2, shift);
        return Reshape(Slice(Slice(y, 1, 0, height), 2, 0, width), [batch, height * width, channels]);

        static Tensor Part(Tensor all, int index) => Reshape(Slice(all, 0, index, 1), new Shape(all.Shape.ToArray()[1..]));
    }

    /// <summary>The row of the bias table for each pair of tokens of a window: [w², w²], I64.</summary>
    public static Tensor RelativePositions(int window)
    {
        int size = window * window, span = 2 * window - 1;
        Tensor index = Tensor.Empty([size, size], DType.I64);
        Span<long> values = index.Span<long>();
        for (int i = 0; i < size; i++)
            for (int j = 0; j < size; j++)
                values[i * size + j] = (i / window - j / window + window - 1) * span + (i % window - j % window + window - 1);
        return index;
    }

    /// <summary>−100 between tokens of a window that are not neighbours in the picture, else 0: [1, windows, 1, w², w²].</summary>
    private static Tensor ShiftMask(int rows, int columns, int window, int shift, DType dtype)
    {
        int size = window * window, across = columns / window, windows = rows / window * across;
        Tensor mask = Full([1, windows, 1, size, size], 0, dtype);
        if (shift == 0) return mask;
        for (int w = 0; w < windows; w++)
            for (int i = 0; i < size; i++)
                for (int j = 0; j < size; j++)
                    if (Region(w, i) != Region(w, j))
                        mask.Span<double>()[(w * size + i) * size + j] = -100;
        return mask;

        int Region(int w, int token) =>
            3 * Band(w / across * window + token / window, rows) + Band(w % across * window + token % window, columns);

        int Band(int position, int extent) => position < extent - window ? 0 : position < extent - shift ? 1 : 2;
    }

    /// <summary>Moves the elements along an axis by <paramref name="by"/> places, around the end.</summary>
    private static Tensor Roll(Tensor x, int axis, int by)
    {
        int extent = x.Shape[axis], start = ((-by % extent) + extent) % extent;
        return start == 0 ? x : Concat(axis, Slice(x, axis, start, extent - start), Slice(x, axis, 0, start));
    }
}
