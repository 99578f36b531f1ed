using Lavt.Autograd;
using Lavt.Nn;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Models;

/// <summary>The sum of a word's, its position's and its sentence's vector, normalised.</summary>
public sealed class BertEmbeddings : Module
{
    private readonly double _dropout;
    private readonly Embedding _words;
    private readonly Embedding _positions;
    private readonly Embedding _types;
    private readonly LayerNorm _norm;

    /// <summary>Tables of normal values of deviation 0.02.</summary>
    public BertEmbeddings(BertOptions options, RandomSource random)
    {
        _dropout = options.Dropout;
        _words = Register("word_embeddings", new Embedding(options.VocabularySize, options.HiddenSize, random, 0.02f, paddingId: 0));
        _positions = Register("position_embeddings", new Embedding(options.Positions, options.HiddenSize, random, 0.02f));
        _types = Register("token_type_embeddings", new Embedding(options.TokenTypes, options.HiddenSize, random, 0.02f));
        _norm = Register("LayerNorm", new LayerNorm(options.HiddenSize, options.LayerNormEpsilon));
    }

    /// <summary>[B, L, hidden size] of ids [B, L]; all words belong to sentence 0.</summary>
    public Tensor Forward(Tensor ids)
    {
        int length = ids.Shape[1];
        if (length > _positions.Weight.Shape[0])
            throw new OptionException("--bert_positions", $"rows of {length} word pieces are longer than the {_positions.Weight.Shape[0]} positions of this BERT; give a model with at least {length}");
        Tensor positions = Ops.Slice(_positions.Weight, 0, 0, length);
        Tensor types = Tensor.Zeros([length], DType.I64, Device);
        Tensor x = Ops.Add(_words.Forward(ids), Ops.Add(_types.Forward(types), positions));
        return Ops.Dropout(_norm.Forward(x), Training ? _dropout : 0);
    }
}
