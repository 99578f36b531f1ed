using Lavt.Kernels;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static partial class Ops
{
    /// <summary>
    /// The sum of <paramref name="x"/> (F32 or F64) over all devices that share the batch, see <see cref="BatchShare"/>;
    /// <paramref name="x"/> itself on one device. The gradient is summed over them likewise.
    /// </summary>
    public static Tensor SumOverDevices(Tensor x)
    {
        CheckFloat(nameof(SumOverDevices), x);
        if (BatchShare.Current?.Sum is not { } sum) return x;
        return Tape.Record(nameof(SumOverDevices), Total(sum, x), [x], [], g => g.Set(0, Total(sum, g.Output)));
    }

    private static Tensor Total(IDeviceSum sum, Tensor x)
    {
        double[] values = x.To(DType.F64).ToArray<double>();
        sum.Sum(values);
        return Tensor.From(values, x.Shape).To(x.DType);
    }
}
