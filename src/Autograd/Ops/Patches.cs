using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// Cuts pictures [B, C, H, W] into patches of <paramref name="patch"/> x <paramref name="patch"/> pixels, zeros at the
    /// right and bottom where needed: [B, ⌈H/p⌉·⌈W/p⌉, C·p·p], each patch ordered as a PyTorch convolution weight.
    /// </summary>
    public static Tensor Patches(Tensor x, int patch)
    {
        CheckFloat(nameof(Patches), x);
        if (x.Rank != 4) throw new ArgumentException($"Patches needs pictures [B, C, H, W], got {x}");
        if (x.DType == DType.F64) return PatchesComposed(x, patch);
        x = Contiguous(x);
        (int batch, int channels, int height, int width) = (x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]);
        int rows = (height + patch - 1) / patch, columns = (width + patch - 1) / patch;
        Tensor y = x.EmptyLike([batch, rows * columns, channels * patch * patch]);
        if (x.Device.IsCuda) Kernels.Cuda.PatchGather.EmbedForward(StreamOf(x), x.DevicePointer<float>(), batch, channels, height, width, patch, y.DevicePointer<float>());
        else PatchGather.EmbedForward(x.Pointer<float>(), batch, channels, height, width, patch, y.Pointer<float>());
        return Tape.Record(nameof(Patches), y, [x], [], g =>
        {
            Tensor dx = g.Output.EmptyLike([batch, channels, height, width]);
            if (dx.Device.IsCuda) Kernels.Cuda.PatchGather.EmbedBackward(StreamOf(dx), g.Output.DevicePointer<float>(), batch, channels, height, width, patch, dx.DevicePointer<float>());
            else PatchGather.EmbedBackward(g.Output.Pointer<float>(), batch, channels, height, width, patch, dx.Pointer<float>());
            g.Set(0, dx);
        });
    }

    /// <summary>
    /// Puts the channels of each 2x2 neighbourhood side by side, in the order (0,0), (1,0), (0,1), (1,1) of row and column
    /// offsets, zeros at the right and bottom where the size is odd: [B, H·W, C] to [B, ⌈H/2⌉·⌈W/2⌉, 4C].
    /// </summary>
    public static Tensor MergeNeighbours(Tensor x, int height, int width)
    {
        CheckFloat(nameof(MergeNeighbours), x);
        if (x.Rank != 3 || x.Shape[1] != height * width) throw new ArgumentException($"MergeNeighbours: {x} is no {height}x{width} map; expected [B, H*W, C]");
        if (x.DType == DType.F64) return MergeNeighboursComposed(x, height, width);
        x = Contiguous(x);
        int batch = x.Shape[0], channels = x.Shape[2];
        Tensor y = x.EmptyLike([batch, (height + 1) / 2 * ((width + 1) / 2), 4 * channels]);
        Action merge = () =>
        {
            if (x.Device.IsCuda) Kernels.Cuda.PatchGather.MergeForward(StreamOf(x), x.DevicePointer<float>(), batch, height, width, channels, y.DevicePointer<float>());
            else PatchGather.MergeForward(x.Pointer<float>(), batch, height, width, channels, y.Pointer<float>());
        };
        merge();
        if (Tape.Needs(x)) Tape.Repeatable(y, [x], merge);
        return Tape.Record(nameof(MergeNeighbours), y, [x], [], g =>
        {
            Tensor dx = g.Output.EmptyLike([batch, height * width, channels]);
            if (dx.Device.IsCuda) Kernels.Cuda.PatchGather.MergeBackward(StreamOf(dx), g.Output.DevicePointer<float>(), batch, height, width, channels, dx.DevicePointer<float>());
            else PatchGather.MergeBackward(g.Output.Pointer<float>(), batch, height, width, channels, dx.Pointer<float>());
            g.Set(0, dx);
        });
    }

    internal static Tensor PatchesComposed(Tensor x, int patch)
    {
        (int batch, int channels, int height, int width) = (x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]);
        int rows = (height + patch - 1) / patch, columns = (width + patch - 1) / patch;
        Tensor padded = Pad(Pad(x, 2, 0, rows * patch - height), 3, 0, columns * patch - width);
        Tensor parts = Permute(Reshape(padded, [batch, channels, rows, patch, columns, patch]), 0, 2, 4, 1, 3, 5);
        return Reshape(parts, [batch, rows * columns, channels * patch * patch]);
    }

    internal static Tensor MergeNeighboursComposed(Tensor x, int height, int width)
    {
        int batch = x.Shape[0], channels = x.Shape[2], rows = (height + 1) / 2, columns = (width + 1) / 2;
        Tensor map = Pad(Pad(Reshape(x, [batch, height, width, channels]), 1, 0, height % 2), 2, 0, width % 2);
        // Axes: batch, row, row offset, column, column offset, channel; the column offset varies slowest in the result.
        Tensor parts = Permute(Reshape(map, [batch, rows, 2, columns, 2, channels]), 0, 1, 3, 4, 2, 5);
        return Reshape(parts, [batch, rows * columns, 4 * channels]);
    }
}
