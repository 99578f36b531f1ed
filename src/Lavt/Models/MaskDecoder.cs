using Lavt.Autograd;
using Lavt.Kernels.Cuda;
using Lavt.Nn;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>
/// The decoder (LAVT, eq. 7–8): from the smallest map up, each step resizes to the next map, concatenates and convolves
/// twice; a 1x1 convolution gives the two classes, background and object.
/// </summary>
public sealed class MaskDecoder : Module
{
    private readonly bool _interpolate;
    private readonly bool _segmentLast;
    private readonly (ConvNormRelu First, ConvNormRelu Second)[] _steps;
    private readonly ConvNormRelu? _half;
    private readonly ConvNormRelu? _full;
    private readonly Linear _classes;

    /// <summary>A decoder over maps of <paramref name="channels"/>, / 2, / 4 and / 8 channels, from the smallest to the largest.</summary>
    public MaskDecoder(int channels, bool lazyPrediction, bool interpolateBeforeSegmentation, bool segmentLast, RandomSource random)
    {
        _interpolate = interpolateBeforeSegmentation;
        _segmentLast = segmentLast;
        int hidden = channels / 2;
        _steps = new (ConvNormRelu, ConvNormRelu)[lazyPrediction ? 2 : 3];
        for (int i = 0; i < _steps.Length; i++)
        {
            int input = (i == 0 ? channels : hidden) + (channels >> (i + 1));
            _steps[i] = (new ConvNormRelu(input, hidden, random), new ConvNormRelu(hidden, hidden, random));
            Register(_steps[i].First, $"1_{4 - i}");
            Register(_steps[i].Second, $"2_{4 - i}");
        }
        if (_interpolate)
        {
            _half = new ConvNormRelu(hidden, hidden, random);
            Register("conv2_1", _half.Convolution);
            Register("bn1_1", _half.Norm);
        }
        if (segmentLast)
        {
            _full = new ConvNormRelu(hidden, hidden, random);
            Register(_full, "1_0");
        }
        _classes = Register("conv1_1", new Linear(hidden, 2, random, kernelAxes: 2));
    }

    /// <summary>Logits [B, H, W, 2] from the stages' maps [B, H, W, C], stage 1 first (null with lazy prediction).</summary>
    public Tensor Forward(Tensor? map1, Tensor map2, Tensor map3, Tensor map4)
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor?[] skips = [map3, map2, map1];
        Tensor x = map4;
        for (int i = 0; i < _steps.Length; i++) x = Step(x, skips[i]!, _steps[i]);
        if (_interpolate)
        {
            Tensor largest = map1 ?? throw new InvalidOperationException("--interpolate_before_seg needs the first stage's map, which --lazy_pred does not make; give one of them");
            x = _half!.Forward(Ops.Bilinear(x, 2 * largest.Shape[1], 2 * largest.Shape[2]));
            if (_segmentLast) x = _full!.Forward(Ops.Bilinear(x, 4 * largest.Shape[1], 4 * largest.Shape[2]));
        }
        return scope.Return(_classes.Forward(x));
    }

    /// <summary>On a GPU the whole decoder stays float32: there convolutions would round to tf32 or bfloat16 themselves.</summary>
    public override void UseProducts(ProductPrecision precision) => base.UseProducts(ProductPrecision.Float32);

    /// <summary>The classes decide the mask, and cost nothing: they stay float32.</summary>
    protected override DType ProductsOf(Module child, DType products) => child == _classes ? DType.F32 : products;

    private static Tensor Step(Tensor x, Tensor skip, (ConvNormRelu First, ConvNormRelu Second) step)
    {
        using MemoryScope scope = MemoryScope.Begin();
        // The published code resizes only upwards; a map that is already as large is taken as it is.
        bool smaller = x.Shape[1] < skip.Shape[1] || x.Shape[2] < skip.Shape[2];
        Tensor joined = smaller ? Ops.BilinearConcat(x, skip) : Ops.Concat(3, x, skip);
        return scope.Return(step.Second.Forward(step.First.Forward(joined)));
    }

    private void Register(ConvNormRelu layer, string name)
    {
        Register($"conv{name}", layer.Convolution);
        Register($"bn{name}", layer.Norm);
    }
}
