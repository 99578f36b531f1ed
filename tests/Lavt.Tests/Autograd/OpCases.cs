using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Tensors;

namespace Lavt.Tests.Autograd;

/// <summary>One operation with inputs of one size; the same function runs fused (F32) and composed (F64).</summary>
public sealed record OpCase(string Name, Shape[] Inputs, Func<Tensor[], Tensor> Compute)
{
    public override string ToString() => $"{Name} {string.Join(" ", Inputs.Select(s => s.ToString()))}";
}

/// <summary>Every differentiable operation over awkward sizes: 0, 1, around the vector widths, odd, larger than a block.</summary>
public static class OpCases
{
    public static IEnumerable<OpCase> All() =>
    [
        .. Elementwise(), .. Views(), .. Linears(), .. Norms(), .. Attentions(), .. Maps(),
    ];

    private static IEnumerable<OpCase> Elementwise()
    {
        foreach (int n in (int[])[0, 1, 15, 16, 17, 67])
        {
            yield return new("Gelu", [[n]], x => Ops.Gelu(x[0]));
            yield return new("Relu", [[n]], x => Ops.Relu(x[0]));
            yield return new("Tanh", [[n]], x => Ops.Tanh(x[0]));
            yield return new("Sigmoid", [[n]], x => Ops.Sigmoid(x[0]));
            yield return new("Gate", [[n], [n], [n]], x => Ops.Gate(x[0], x[1], x[2]));
            yield return new("Add", [[n], [n]], x => Ops.Add(x[0], x[1]));
            yield return new("Multiply", [[n], [n]], x => Ops.Multiply(x[0], x[1]));
        }
        yield return new("Add broadcast", [[2, 3, 4], [3, 1]], x => Ops.Add(x[0], x[1]));
        yield return new("Subtract broadcast", [[3], [2, 3]], x => Ops.Subtract(x[0], x[1]));
        yield return new("Multiply broadcast", [[2, 1, 4], [3, 1]], x => Ops.Multiply(x[0], x[1]));
        yield return new("Divide", [[2, 3], [3]], x => Ops.Divide(x[0], Ops.AddScalar(Ops.Multiply(x[1], x[1]), 1)));
        yield return new("Exp", [[3, 5]], x => Ops.Exp(x[0]));
        yield return new("Log", [[7]], x => Ops.Log(Ops.AddScalar(Ops.Multiply(x[0], x[0]), 0.5)));
        yield return new("Sqrt", [[7]], x => Ops.Sqrt(Ops.AddScalar(Ops.Multiply(x[0], x[0]), 0.5)));
        yield return new("Erf", [[7]], x => Ops.Erf(x[0]));
        yield return new("Scale", [[3, 3]], x => Ops.Scale(x[0], -1.5));
        yield return new("Dropout", [[5, 7]], x => Seeded(() => Ops.Dropout(x[0], 0.3)));
        yield return new("DropPath", [[5, 7]], x => Seeded(() => Ops.DropPath(x[0], 0.3)));
        yield return new("a tensor used twice", [[4, 3]], x => Ops.Multiply(Ops.Add(x[0], x[0]), x[0]));
    }

    private static IEnumerable<OpCase> Views()
    {
        yield return new("Reshape", [[2, 3, 4]], x => Ops.Multiply(Ops.Reshape(x[0], [4, 6]), Ops.Reshape(x[0], [4, 6])));
        yield return new("Permute", [[2, 3, 4]], x => Ops.Permute(x[0], 2, 0, 1));
        yield return new("Slice", [[4, 5]], x => Ops.Slice(x[0], 1, 1, 3));
        yield return new("Concat", [[2, 3], [2, 1], [2, 2]], x => Ops.Concat(1, x));
        yield return new("Pad", [[2, 3]], x => Ops.Pad(x[0], 0, 1, 2));
        yield return new("Sum axis", [[2, 3, 4]], x => Ops.Sum(x[0], 1));
        yield return new("Sum", [[2, 3]], x => Ops.Sum(x[0]));
        yield return new("Sum of many", [[70, 31]], x => Ops.Sum(x[0]));
        yield return new("Mean", [[2, 3]], x => Ops.Mean(x[0], -1));
        yield return new("Softmax", [[3, 5]], x => Ops.Softmax(x[0]));
        yield return new("Gather", [[5, 3]], x => Ops.Gather(x[0], Ops.To(Tensor.From(new long[] { 4, 0, 4, 2 }, [2, 2]), x[0].Device)));
        yield return new("Embedding", [[5, 3]], x => Ops.Embedding(x[0], Ops.To(Tensor.From(new long[] { 4, 0, 4, 2 }, [2, 2]), x[0].Device)));
        yield return new("MatMul", [[2, 3, 4], [2, 4, 5]], x => Ops.MatMul(x[0], x[1]));
        yield return new("MatMul by one matrix", [[2, 3, 4], [4, 5]], x => Ops.MatMul(x[0], x[1]));
        yield return new("Checkpoint", [[3, 4]], x => Checkpoint.Run(y => Ops.Multiply(Ops.Tanh(y), y), x[0]));
    }

    private static IEnumerable<OpCase> Linears()
    {
        foreach ((int m, int k, int n) in ((int, int, int)[])[(0, 3, 4), (1, 1, 1), (5, 7, 3), (13, 33, 31), (12, 32, 32), (49, 96, 70)])
            yield return new("Linear", [[m, k], [n, k], [n]], x => Ops.Linear(x[0], x[1], x[2]));
        foreach (Activation activation in Enum.GetValues<Activation>())
            yield return new($"Linear {activation}", [[2, 9, 17], [19, 17], [19]], x => Ops.Linear(x[0], x[1], x[2], activation));
        yield return new("Linear without bias", [[6, 5], [4, 5, 1]], x => Ops.Linear(x[0], x[1]));
        yield return new("Linear residual", [[6, 5], [4, 5], [4], [6, 4]], x => Ops.Linear(x[0], x[1], x[2], Activation.None, x[3]));
        yield return new("Linear GELU residual", [[6, 5], [4, 5], [4], [6, 4]], x => Ops.Linear(x[0], x[1], x[2], Activation.Gelu, x[3]));
    }

    private static IEnumerable<OpCase> Norms()
    {
        foreach ((int rows, int channels) in ((int, int)[])[(0, 4), (1, 1), (3, 15), (2, 16), (5, 33), (7, 96), (70, 5)])
            yield return new("LayerNorm", [[rows, channels], [channels], [channels]], x => Ops.LayerNorm(x[0], x[1], x[2]));
        foreach ((int batch, int tokens, int channels) in ((int, int, int)[])[(1, 1, 3), (2, 5, 15), (1, 33, 17), (3, 7, 32)])
            yield return new("InstanceNorm", [[batch, tokens, channels]], x => Ops.InstanceNorm(x[0]));
        foreach (bool training in (bool[])[true, false])
            foreach (bool relu in (bool[])[true, false])
                foreach (int channels in (int[])[1, 5, 17])
                    yield return new($"BatchNorm training {training} ReLU {relu}", [[2, 3, 4, channels], [channels], [channels]], x => BatchNorm(x, training, relu));
    }

    private static IEnumerable<OpCase> Attentions()
    {
        Volume w2 = new(1, 2, 2), w3 = new(1, 3, 3), w4 = new(1, 4, 4), w7 = new(1, 7, 7), clip = new(2, 2, 3);
        foreach ((Volume map, Volume window, Volume shift, Volume table) in ((Volume, Volume, Volume, Volume)[])[
            (new(1, 2, 2), w2, default, w2), (new(1, 4, 4), w2, new(0, 1, 1), w2), (new(1, 3, 5), w3, new(0, 1, 1), w3),
            (new(1, 2, 3), w4, new(0, 2, 2), w4), (new(1, 7, 8), w7, new(0, 3, 3), w7),
            (new(3, 3, 4), clip, new(1, 1, 1), clip), (new(2, 2, 4), clip, new(0, 0, 1), new(4, 3, 3)), (new(1, 1, 2), new(1, 1, 2), default, clip)])
            foreach ((int heads, int headDim) in ((int, int)[])[(1, 4), (2, 3)])
                yield return new($"WindowAttention {map} window {window} shift {shift} table {table}",
                    [[2, map.Count, 3 * heads * headDim], [3 * heads * headDim], [(2 * table.Frames - 1) * (2 * table.Height - 1) * (2 * table.Width - 1), heads]],
                    x => Ops.WindowAttention(x[0], x[1], x[2], map, window, shift, table));
        foreach ((int tokens, int words, int channels, int heads) in ((int, int, int, int)[])[(1, 1, 1, 1), (5, 4, 6, 2), (17, 20, 16, 1), (3, 22, 33, 3)])
            yield return new($"WordAttention heads {heads}", [[2, tokens, channels], [2, words, channels], [2, words, channels]],
                x => Ops.WordAttention(x[0], x[1], x[2], Mask(words, x[0]), heads, 1 / Math.Sqrt(channels)));
        yield return new("SelfAttention with dropout", [[2, 4, 6], [2, 4, 6], [2, 4, 6]], x => Seeded(() => Ops.SelfAttention(x[0], x[1], x[2], Mask(4, x[0]), 2, 0.5, 0.2)));
    }

    private static IEnumerable<OpCase> Maps()
    {
        foreach ((int height, int width, int cin, int cout) in ((int, int, int, int)[])[(1, 1, 2, 3), (1, 4, 3, 1), (5, 3, 17, 5), (4, 6, 8, 33)])
            yield return new("Conv3x3", [[2, height, width, cin], [cout, cin, 3, 3]], x => Ops.Conv3x3(x[0], x[1]));
        foreach ((Volume map, Volume kernel, int cin, int cout) in ((Volume, Volume, int, int)[])[
            (new(1, 1, 1), new(3, 3, 3), 2, 3), (new(2, 3, 4), new(3, 3, 3), 3, 2), (new(4, 2, 3), new(3, 1, 1), 5, 17), (new(2, 4, 3), new(1, 3, 3), 2, 3),
            (new(2, 3, 2), new(1, 1, 1), 3, 4), (new(3, 2, 4), new(1, 1, 3), 2, 2), (new(3, 3, 2), new(3, 3, 1), 2, 2), (new(2, 3, 3), new(3, 1, 3), 2, 2)])
            foreach (Activation activation in (Activation[])[Activation.None, Activation.Gelu, Activation.Tanh])
                yield return new($"Conv3d {map} kernel {kernel} {activation}", [[2, map.Frames, map.Height, map.Width, cin], [cout, cin, kernel.Frames, kernel.Height, kernel.Width], [cout]],
                    x => Ops.Conv3d(x[0], x[1], x[2], activation));
        foreach ((int h, int w, int height, int width, int c) in ((int, int, int, int, int)[])[(1, 1, 3, 4, 2), (2, 3, 5, 7, 17), (3, 4, 3, 4, 3), (5, 4, 2, 1, 16)])
        {
            yield return new($"Bilinear to {height}x{width}", [[2, h, w, c]], x => Ops.Bilinear(x[0], height, width));
            yield return new("BilinearConcat", [[2, h, w, c], [2, height, width, 3]], x => Ops.BilinearConcat(x[0], x[1]));
        }
        foreach ((int height, int width) in ((int, int)[])[(1, 1), (4, 8), (5, 7)])
        {
            yield return new("Patches", [[2, 3, height, width]], x => Ops.Patches(x[0], 4));
            yield return new("MergeNeighbours", [[2, height * width, 5]], x => Ops.MergeNeighbours(x[0], height, width));
        }
        Tensor target = Tensor.From(new byte[] { 0, 1, 1, 0, 0, 1, 0, 0, 1, 1, 0, 1 }, [2, 2, 3]).Persist();
        yield return new("CrossEntropyLoss", [[2, 2, 3, 2]], x => Ops.CrossEntropyLoss(x[0], Ops.To(target, x[0].Device)));
        yield return new("MultiClassDiceLoss", [[2, 2, 3, 2]], x => Ops.MultiClassDiceLoss(x[0], Ops.To(target, x[0].Device)));
        yield return new("DiceBoundaryLoss", [[2, 2, 3, 2]], x => Ops.DiceBoundaryLoss(x[0], Ops.To(target, x[0].Device)));
        yield return new("MaxPool", [[2, 4, 3, 2]], x => Ops.MaxPool(x[0], 3));
        yield return new("DiceFocalLoss", [[2, 2, 3, 2]], x => Ops.DiceFocalLoss(x[0], Ops.To(target, x[0].Device)));
    }

    private static Tensor BatchNorm(Tensor[] x, bool training, bool relu)
    {
        Shape channels = [x[0].Shape[-1]];
        return Ops.BatchNorm(x[0], x[1], x[2], Ops.Full(channels, 0.25, x[0].DType, x[0].Device), Ops.Full(channels, 1.5, x[0].DType, x[0].Device), training, relu);
    }

    private static Tensor Mask(int words, Tensor like)
    {
        DType dtype = like.DType;
        Tensor mask = Ops.Full([2, words], 1, dtype);
        for (int i = (words + 1) / 2; i < words; i++)
        {
            if (dtype == DType.F64) mask.Span<double>()[words + i] = 0;
            else mask.Span<float>()[words + i] = 0;
        }
        return Ops.To(mask, like.Device);
    }

    private static Tensor Seeded(Func<Tensor> compute)
    {
        Generator.Current = new RandomSource(7);
        return compute();
    }
}
