using Lavt.Tensors;

namespace Lavt.Data;

/// <summary>The parts of a batch as the tensors that models read. They are copies and belong to the open memory scope.</summary>
internal static class BatchTensors
{
    /// <summary>The pictures [B, 3, S, S].</summary>
    public static Tensor Pictures(Batch batch) => Tensor.From<float>(batch.Pictures, [batch.Count, 3, batch.ImageSize, batch.ImageSize]);

    /// <summary>The masks [B, S, S] of 0 and 1 (U8).</summary>
    public static Tensor Masks(Batch batch) => Tensor.From<byte>(batch.Masks, [batch.Count, batch.ImageSize, batch.ImageSize]);

    /// <summary>The ids of the word pieces [B, L] (I64).</summary>
    public static Tensor TokenIds(Batch batch)
    {
        Tensor ids = Tensor.Empty([batch.Count, batch.MaxTokens], DType.I64);
        Span<long> values = ids.Span<long>();
        for (int i = 0; i < values.Length; i++)
            values[i] = batch.TokenIds[i];
        return ids;
    }

    /// <summary>1 for word pieces, 0 for padding [B, L].</summary>
    public static Tensor TokenMask(Batch batch)
    {
        Tensor mask = Tensor.Empty([batch.Count, batch.MaxTokens]);
        Span<float> values = mask.Span<float>();
        for (int i = 0; i < values.Length; i++)
            values[i] = batch.TokenMask[i];
        return mask;
    }
}
