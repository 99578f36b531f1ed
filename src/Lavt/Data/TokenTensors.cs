using Lavt.Tensors;
using Lavt.Text;

namespace Lavt.Data;

/// <summary>Sentences as the tensors that models read. They belong to the open memory scope.</summary>
internal static class TokenTensors
{
    /// <summary>The ids of the word pieces [B, L] (I64), and a mask [B, L] with 1 for word pieces and 0 for padding.</summary>
    /// <param name="rows">The sentences, rows of one length.</param>
    public static (Tensor Ids, Tensor Mask) Of(params ReadOnlySpan<Tokens> rows)
    {
        int length = rows[0].Ids.Length;
        Tensor ids = Tensor.Zeros([rows.Length, length], DType.I64), mask = Tensor.Zeros([rows.Length, length]);
        for (int row = 0; row < rows.Length; row++)
        {
            Span<long> values = ids.Span<long>()[(row * length)..];
            for (int i = 0; i < rows[row].Count; i++) values[i] = rows[row].Ids[i];
            mask.Span<float>().Slice(row * length, rows[row].Count).Fill(1);
        }
        return (ids, mask);
    }
}
