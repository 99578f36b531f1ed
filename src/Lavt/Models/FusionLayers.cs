using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>What stands behind each convolution of a <see cref="FusionTransform"/>.</summary>
/// <param name="IsNorm">A norm; otherwise GELU and dropout.</param>
/// <param name="Norm">Which norm.</param>
/// <param name="Dropout">The dropout rate in training.</param>
internal readonly record struct FusionEnd(bool IsNorm, AttentionNorm Norm, double Dropout);

/// <summary>The layers of a <see cref="FusionTransform"/>.</summary>
/// <remarks>No module of its own: PWAM registers the layers under the names of the published code.</remarks>
internal sealed class FusionLayers
{
    private readonly FusionTransform _plan;
    private readonly FusionEnd _end;
    private readonly Dictionary<FusionConvolution, Convolution> _convolutions = [];
    private readonly List<(string Name, Module Layer)> _layers = [];

    public FusionLayers(FusionTransform plan, int channels, FusionEnd end, RandomSource random)
    {
        (_plan, _end) = (plan, end);
        foreach (FusionConvolution convolution in plan.Chains.SelectMany(c => c.Convolutions))
            Add(convolution, channels);
        foreach (FusionConvolution gated in plan.Chains.SelectMany(c => c.Convolutions).Reverse())
            if (gated.Gate is { } gate)
                _convolutions[gated] = _convolutions[gated] with { Gate0 = AddGate($"{gate}.0"), Gate2 = AddGate($"{gate}.2") };
        if (plan.Joined is not null) Add(plan.Joined, plan.Concatenates ? plan.Chains.Length * channels : channels);

        void Add(FusionConvolution convolution, int input)
        {
            Module layer = Layer(convolution, input, channels, random);
            _layers.Add(($"{convolution.Name}.0", layer));
            Module? norm = !end.IsNorm ? null : end.Norm switch { AttentionNorm.Batch => new BatchNorm(channels), AttentionNorm.Layer => new LayerNorm(channels), _ => null };
            if (norm is not null) _layers.Add(($"{convolution.Name}.1", norm));
            _convolutions.Add(convolution, new Convolution(layer, norm, null, null));
        }

        Linear AddGate(string name)
        {
            Linear layer = new(channels, channels, random, bias: false, kernelAxes: 3);
            _layers.Add((name, layer));
            return layer;
        }
    }

    /// <summary>The layers with their names, in the order of the state dict.</summary>
    public IReadOnlyList<(string Name, Module Layer)> Layers => _layers;

    /// <summary>The product over channels if there is but one, with a norm behind it; otherwise null.</summary>
    public Linear? OnlyProduct => _end.IsNorm && _plan is { Joined: null, Chains: [{ Residual: false, Convolutions: [{ Gate: null } only] }] }
        ? _convolutions[only].Layer as Linear
        : null;

    /// <summary>The layer of a convolution: a matrix product over tokens where the kernel is a point.</summary>
    public static Module Layer(FusionConvolution convolution, int input, int output, RandomSource random) => convolution.Kernel.Count == 1
        ? new Linear(input, output, random, kernelAxes: convolution.Axes)
        : new Conv3d(input, output, convolution.Kernel, random);

    /// <summary>Runs a layer that <see cref="Layer"/> made: [B, T·H·W, input] to [B, T·H·W, output].</summary>
    public static Tensor Run(Module layer, FeatureMap map, Activation activation)
    {
        if (layer is Linear linear) return linear.Forward(map.Tokens, activation);
        Tensor y = ((Conv3d)layer).Forward(map.AsClips(), activation);
        return Ops.Reshape(y, map.Tokens.Shape.With(-1, y.Shape[-1]));
    }

    /// <summary>The norm behind <see cref="OnlyProduct"/>: [B, T·H·W, C] to the same.</summary>
    public Tensor NormaliseProduct(Tensor product) => Normalised(product, _convolutions[_plan.Chains[0].Convolutions[0]].Norm);

    /// <summary>[B, T·H·W, C] to the same.</summary>
    public Tensor Forward(FeatureMap map)
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor[] chains = new Tensor[_plan.Chains.Length];
        for (int i = 0; i < chains.Length; i++) chains[i] = Forward(_plan.Chains[i], map);
        Tensor joined = _plan.Concatenates && _plan.Joined is not null ? Ops.Concat(2, chains) : chains.Aggregate(Ops.Add);
        return scope.Return(_plan.Joined is null ? joined : Forward(_plan.Joined, map with { Tokens = joined }));
    }

    private Tensor Forward(FusionChain chain, FeatureMap map)
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor first = Forward(chain.Convolutions[^1], map), last = first;
        for (int i = chain.Convolutions.Length - 2; i >= 0; i--) last = Forward(chain.Convolutions[i], map with { Tokens = last });
        return scope.Return(chain.Residual ? Ops.Add(first, last) : last);
    }

    private Tensor Forward(FusionConvolution convolution, FeatureMap map)
    {
        using MemoryScope scope = MemoryScope.Begin();
        Convolution layers = _convolutions[convolution];
        Tensor y = Run(layers.Layer, map, _end.IsNorm ? Activation.None : Activation.Gelu);
        y = _end.IsNorm ? Normalised(y, layers.Norm) : Ops.Dropout(y, layers.Layer.Training ? _end.Dropout : 0);
        if (layers.Gate0 is not null) y = Ops.Gate(layers.Gate2!.Forward(layers.Gate0.Forward(y, Activation.Relu), Activation.Tanh), y, y);
        return scope.Return(y);
    }

    private Tensor Normalised(Tensor y, Module? norm) => _end.Norm switch
    {
        AttentionNorm.Instance => Ops.InstanceNorm(y),
        AttentionNorm.Batch => ((BatchNorm)norm!).Forward(y),
        AttentionNorm.Layer => ((LayerNorm)norm!).Forward(y),
        _ => y,
    };

    private sealed record Convolution(Module Layer, Module? Norm, Linear? Gate0, Linear? Gate2);
}
