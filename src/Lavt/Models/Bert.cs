using Lavt.Autograd;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>The BERT encoder (Devlin et al., 2019) without pooler.</summary>
public sealed class Bert : Module
{
    private readonly BertEmbeddings _embeddings;
    private readonly ModuleList<BertLayer> _layers;

    /// <summary>An encoder with random values; see the weight loading for pretrained ones.</summary>
    public Bert(BertOptions options, RandomSource random)
    {
        _embeddings = Register("embeddings", new BertEmbeddings(options, random));
        _layers = Register("encoder.layer", new ModuleList<BertLayer>(Enumerable.Range(0, options.Layers).Select(_ => new BertLayer(options, random))));
    }

    /// <summary>Word features [B, L, hidden size] of ids [B, L] (I64) and their mask [B, L] (1 for words, 0 for padding).</summary>
    public Tensor Forward(Tensor ids, Tensor mask)
    {
        using MemoryScope scope = MemoryScope.Begin();
        mask = Ops.To(mask, Device);
        Tensor x = _embeddings.Forward(Ops.To(ids, Device));
        for (int i = 0; i < _layers.Count; i++) x = _layers[i].Forward(x, mask);
        return scope.Return(x);
    }

    /// <summary>PWAM tells the words apart by differences that rounding would drown; a sentence costs little to encode.</summary>
    protected override DType ProductsOf(Module child, DType products) => DType.F32;
}
