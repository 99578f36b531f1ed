using Lavt.Autograd;
using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>A table of vectors, looked up by number.</summary>
public sealed class Embedding : Module
{
    private readonly int _paddingId;

    /// <summary>A table of normal values of deviation <paramref name="deviation"/>.</summary>
    /// <param name="rows">Entries.</param>
    /// <param name="channels">Numbers per entry.</param>
    /// <param name="random">Source of the initial values.</param>
    /// <param name="deviation">Standard deviation of the initial values.</param>
    /// <param name="paddingId">An entry that stays as it is in training; −1: none.</param>
    public Embedding(int rows, int channels, RandomSource random, float deviation, int paddingId = -1)
    {
        _paddingId = paddingId;
        Weight = AddParameter("weight", [rows, channels]);
        Init.Normal(Weight, deviation, random);
    }

    /// <summary>[rows, channels].</summary>
    public Tensor Weight { get; }

    /// <summary>The rows with the numbers <paramref name="ids"/> (I64, any shape): [shape of ids, channels].</summary>
    public Tensor Forward(Tensor ids) => Ops.Embedding(Weight, ids, _paddingId);
}
