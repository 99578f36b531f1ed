using Lavt.Kernels;
using Lavt.Tensors;

namespace Lavt.Autograd;

public static unsafe partial class Ops
{
    /// <summary>
    /// Convolution of a channels-last map with stride 1, padded with zeros so that the map keeps its size:
    /// y = act(x * weight + bias).
    /// </summary>
    /// <param name="x">[B, T, H, W, Cin].</param>
    /// <param name="weight">[Cout, Cin, kt, kh, kw] as in PyTorch, each of kt, kh and kw 1 or 3.</param>
    /// <param name="bias">[Cout], or null.</param>
    /// <param name="activation">Applied to the sum of convolution and bias.</param>
    /// <returns>[B, T, H, W, Cout].</returns>
    public static Tensor Conv3d(Tensor x, Tensor weight, Tensor? bias = null, Activation activation = Activation.None)
    {
        CheckFloat(nameof(Conv3d), x);
        if (x.Rank != 5 || weight.Rank != 5 || weight.Shape[1] != x.Shape[4] || !Enumerable.Range(2, 3).All(axis => weight.Shape[axis] is 1 or 3))
            throw new ArgumentException($"Conv3d: {x} does not go with a weight of shape {weight.Shape}; expected [B, T, H, W, Cin] and [Cout, Cin, kt, kh, kw] with kernels of 1 or 3");
        return Conv3dComposed(x, weight, bias, activation);
    }

    internal static Tensor Conv3dComposed(Tensor x, Tensor weight, Tensor? bias, Activation activation)
    {
        Volume map = new(x.Shape[1], x.Shape[2], x.Shape[3]), kernel = new(weight.Shape[2], weight.Shape[3], weight.Shape[4]);
        Tensor padded = Pad(Pad(Pad(x, 1, kernel.Frames / 2, kernel.Frames / 2), 2, kernel.Height / 2, kernel.Height / 2), 3, kernel.Width / 2, kernel.Width / 2);
        Tensor taps = Permute(Reshape(weight, [weight.Shape[0], weight.Shape[1], kernel.Count]), 2, 1, 0);
        Tensor? y = null;
        for (int tap = 0; tap < kernel.Count; tap++)
        {
            int t = tap / kernel.Plane, row = tap / kernel.Width % kernel.Height, column = tap % kernel.Width;
            Tensor shifted = Slice(Slice(Slice(padded, 1, t, map.Frames), 2, row, map.Height), 3, column, map.Width);
            Tensor matrix = Reshape(Slice(taps, 0, tap, 1), [weight.Shape[1], weight.Shape[0]]);
            Tensor term = MatMul(Contiguous(shifted), matrix);
            y = y is null ? term : Add(y, term);
        }
        if (bias is not null) y = Add(y!, bias);
        return Activate(y!, activation);
    }
}
