using Lavt.Kernels.Cpu;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// The largest value of each size x size neighbourhood of a map [B, H, W, C], stride 1, clipped at the borders; an odd
    /// size. The gradient goes to the first of several equal values, row by row, as in PyTorch. F32 or F64.
    /// </summary>
    public static Tensor MaxPool(Tensor x, int size)
    {
        CheckFloat(nameof(MaxPool), x);
        if (x.Rank != 4 || size < 1 || size % 2 == 0) throw new ArgumentException($"MaxPool needs a map [B, H, W, C] and an odd size, got {x} and {size}");
        x = Contiguous(x);
        Tensor y = x.EmptyLike(x.Shape), winners = Tensor.Empty(x.Shape, DType.I64, x.Device);
        (int batch, int height, int width, int channels) = (x.Shape[0], x.Shape[1], x.Shape[2], x.Shape[3]);
        if (x.Device.IsCuda) Kernels.Cuda.MaxPool.Forward(StreamOf(x), x.DevicePointer<float>(), batch, height, width, channels, size, y.DevicePointer<float>(), winners.DevicePointer<long>());
        else if (x.DType == DType.F64) Primitive.MaxPool(x.Pointer<double>(), batch, height, width, channels, size, y.Pointer<double>(), winners.Pointer<long>());
        else Primitive.MaxPool(x.Pointer<float>(), batch, height, width, channels, size, y.Pointer<float>(), winners.Pointer<long>());
        return Tape.Record(nameof(MaxPool), y, [x], [winners], g =>
        {
            Tensor dx = Tensor.Zeros(winners.Shape, g.Output.DType, g.Output.Device);
            if (dx.Device.IsCuda) Kernels.Cuda.MaxPool.Backward(StreamOf(dx), g.Output.DevicePointer<float>(), winners.DevicePointer<long>(), batch, height, width, channels, size, dx.DevicePointer<float>());
            else if (dx.DType == DType.F64) Primitive.AddAt(g.Output.Pointer<double>(), winners.Pointer<long>(), dx.Pointer<double>(), dx.Count);
            else Primitive.AddAt(g.Output.Pointer<float>(), winners.Pointer<long>(), dx.Pointer<float>(), dx.Count);
            g.Set(0, dx);
        });
    }
}
