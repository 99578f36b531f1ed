using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Tensors;
using PackedConv = Lavt.Kernels.Cpu.PackedConv;

namespace Lavt.Models;

/// <summary>
/// 3x3 convolution, batch norm, ReLU. For inference the norm is folded into the convolution: its scale into the weights,
/// its shift into a bias.
/// </summary>
/// <remarks>No module of its own: the decoder registers the two layers under the names of the published code.</remarks>
internal sealed class ConvNormRelu
{
    private readonly FoldedConvolution _folded;

    public ConvNormRelu(int input, int output, RandomSource random)
    {
        Convolution = new Conv3x3(input, output, random);
        Norm = new BatchNorm(output);
        _folded = new FoldedConvolution(Convolution, Norm);
        Convolution.Derived = _folded;
    }

    public Conv3x3 Convolution { get; }

    public BatchNorm Norm { get; }

    /// <summary>[B, H, W, input] to [B, H, W, output].</summary>
    public Tensor Forward(Tensor x)
    {
        if (!Norm.Training && Tape.Current is null && x.DType == DType.F32 && !x.Device.IsCuda) return _folded.Forward(x);
        using MemoryScope scope = MemoryScope.Begin();
        return scope.Return(Norm.Forward(Convolution.Forward(x), relu: true));
    }

    /// <summary>The two layers as one convolution.</summary>
    private sealed class FoldedConvolution(Conv3x3 convolution, BatchNorm norm) : IDerivedWeight
    {
        private PackedConv? _weight;
        private Tensor? _shift;
        private DType _products;

        public Tensor Forward(Tensor x)
        {
            if (_weight is null) Make(DType.F32);
            return Ops.ConvolutionInference(x, _weight!, _shift!, Activation.Relu);
        }

        public void Forget()
        {
            _weight?.Dispose();
            _weight = null;
            _shift = null;
        }

        public void Make(DType products)
        {
            if (_weight is not null && _products == products) return;
            Forget();
            _products = products;
            using MemoryScope scope = MemoryScope.Begin();
            int cout = convolution.Weight.Shape[0], cin = convolution.Weight.Shape[1];
            Tensor weight = convolution.Weight.Copy(), shift = scope.Return(Tensor.Empty([cout])).Persist();
            Span<float> w = weight.Span<float>(), b = shift.Span<float>();
            for (int o = 0; o < cout; o++)
            {
                double scale = norm.Weight.Span<float>()[o] / Math.Sqrt(norm.RunningVariance.Span<float>()[o] + BatchNorm.Epsilon);
                b[o] = (float)(norm.Bias.Span<float>()[o] - norm.RunningMean.Span<float>()[o] * scale);
                foreach (ref float value in w.Slice(o * cin * 9, cin * 9)) value = (float)(value * scale);
            }
            _weight = Ops.PackConvolution(weight, rounded: products == DType.BF16);
            _shift = shift;
        }
    }
}
