using Lavt.Tensors;

namespace Lavt.Nn;

/// <summary>Something that is computed once from weights, for inference.</summary>
public interface IDerivedWeight
{
    /// <summary>Computes it from the present weights, if that was not done yet for these products.</summary>
    /// <param name="products">The type of the products that it is for, F32 or BF16; BF16 allows other products of 16 bits that err less.</param>
    void Make(DType products);

    /// <summary>Drops it, for the weights may have changed.</summary>
    void Forget();
}
