using Lavt.Tensors;
using ProductPrecision = Lavt.Kernels.Cuda.ProductPrecision;

namespace Lavt.Nn;

/// <summary>A weight that is packed on a GPU for products of 16 bits: once for all calls of a layer in evaluation.</summary>
/// <param name="weight">The weight; it may move to another device.</param>
/// <param name="pack">Packs it for products of a precision and inputs in F32, or ones that are rounded already, into the memory that it is given or new one; null where that is of no use.</param>
internal sealed class PackedOnGpu(Tensor weight, Func<ProductPrecision, bool, Tensor?, Tensor?> pack)
{
    private Tensor? _packed;
    private (ProductPrecision Precision, bool ForRounded) _madeFor;

    /// <summary>The weight packed for products of a precision, of inputs in F32 or of ones that are rounded already; null where that is of no use.</summary>
    public Tensor? For(ProductPrecision precision, bool forRounded = false)
    {
        if (_packed?.Device == weight.Device && _madeFor == (precision, forRounded)) return _packed;
        _packed?.Discard();
        _madeFor = (precision, forRounded);
        return _packed = pack(precision, forRounded, null)?.Persist();
    }

    /// <summary>Packs the changed weight again, in place: captured graphs go on reading it.</summary>
    public void Renew()
    {
        if (_packed?.Device == weight.Device) pack(_madeFor.Precision, _madeFor.ForRounded, _packed);
    }
}
