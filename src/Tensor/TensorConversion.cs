namespace Lavt.Tensors;

/// <summary>Conversion between element types.</summary>
public static unsafe class TensorConversion
{
    /// <summary>The tensor itself if it has the type already, otherwise a contiguous tensor with the values converted.</summary>
    /// <exception cref="NotSupportedException">Values of these types are not converted into each other.</exception>
    public static Tensor To(this Tensor tensor, DType dtype)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        if (tensor.DType == dtype) return tensor;
        Tensor result = Tensor.Empty(tensor.Shape, dtype);
        Func<int, double> read = Reader(tensor.IsContiguous ? tensor : tensor.Copy());
        for (int i = 0; i < result.Count; i++)
        {
            switch (dtype)
            {
                case DType.F32: result.Pointer<float>()[i] = (float)read(i); break;
                case DType.F64: result.Pointer<double>()[i] = read(i); break;
                case DType.I64: result.Pointer<long>()[i] = (long)read(i); break;
                default: throw new NotSupportedException($"a tensor of type {tensor.DType} cannot become {dtype}; F32, F64 and I64 can");
            }
        }
        return result;
    }

    private static Func<int, double> Reader(Tensor tensor) => tensor.DType switch
    {
        DType.F32 => i => tensor.Pointer<float>()[i],
        DType.F64 => i => tensor.Pointer<double>()[i],
        DType.F16 => i => (double)tensor.Pointer<Half>()[i],
        DType.BF16 => i => BitConverter.Int32BitsToSingle(tensor.Pointer<short>()[i] << 16),
        DType.I64 => i => tensor.Pointer<long>()[i],
        DType.I32 => i => tensor.Pointer<int>()[i],
        _ => i => tensor.Pointer<byte>()[i],
    };
}
