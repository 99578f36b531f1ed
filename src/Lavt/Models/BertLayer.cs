using Lavt.Autograd;
using Lavt.Kernels;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>A transformer layer of BERT: self-attention and a two-layer perceptron, each followed by a layer norm over the residual sum.</summary>
public sealed class BertLayer : Module
{
    private readonly int _heads;
    private readonly double _dropout;
    private readonly double _scale;
    private readonly Linear _query;
    private readonly Linear _key;
    private readonly Linear _value;
    private readonly Linear _attentionOutput;
    private readonly LayerNorm _attentionNorm;
    private readonly Linear _intermediate;
    private readonly Linear _output;
    private readonly LayerNorm _outputNorm;

    /// <summary>A layer with normal values of deviation 0.02.</summary>
    public BertLayer(BertOptions options, RandomSource random)
    {
        int hidden = options.HiddenSize;
        _heads = options.Heads;
        _dropout = options.Dropout;
        _scale = 1 / Math.Sqrt(hidden / options.Heads);
        _query = RegisterLinear("attention.self.query", hidden, hidden, random);
        _key = RegisterLinear("attention.self.key", hidden, hidden, random);
        _value = RegisterLinear("attention.self.value", hidden, hidden, random);
        _attentionOutput = RegisterLinear("attention.output.dense", hidden, hidden, random);
        _attentionNorm = Register("attention.output.LayerNorm", new LayerNorm(hidden, options.LayerNormEpsilon));
        _intermediate = RegisterLinear("intermediate.dense", hidden, options.IntermediateSize, random);
        _output = RegisterLinear("output.dense", options.IntermediateSize, hidden, random);
        _outputNorm = Register("output.LayerNorm", new LayerNorm(hidden, options.LayerNormEpsilon));
    }

    /// <summary>[B, L, hidden size] to the same.</summary>
    public Tensor Forward(Tensor x, Tensor mask)
    {
        using MemoryScope scope = MemoryScope.Begin();
        double dropout = Training ? _dropout : 0;
        Tensor attended = Ops.SelfAttention(_query.Forward(x), _key.Forward(x), _value.Forward(x), mask, _heads, _scale, dropout);
        x = _attentionNorm.Forward(AddResidual(_attentionOutput, attended, x, dropout));
        Tensor hidden = _intermediate.Forward(x, Activation.Gelu, forLinear: true);
        return scope.Return(_outputNorm.Forward(AddResidual(_output, hidden, x, dropout)));
    }

    private static Tensor AddResidual(Linear linear, Tensor x, Tensor residual, double dropout) => dropout == 0
        ? linear.Forward(x, residual: residual)
        : Ops.Add(Ops.Dropout(linear.Forward(x), dropout), residual);

    private Linear RegisterLinear(string name, int input, int output, RandomSource random)
    {
        Linear linear = Register(name, new Linear(input, output, random));
        Init.Normal(linear.Weight, 0.02f, random);
        Init.Constant(linear.Bias!, 0);
        return linear;
    }
}
