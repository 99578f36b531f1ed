namespace Lavt.Tensors;

/// <summary>Element types of tensors and of the tensors found in weight files.</summary>
public enum DType
{
    /// <summary>IEEE binary32, the type that computations use.</summary>
    F32,

    /// <summary>IEEE binary64, for reference computations and gradient checks.</summary>
    F64,

    /// <summary>IEEE binary16.</summary>
    F16,

    /// <summary>The upper half of binary32 (8 exponent, 7 mantissa bits).</summary>
    BF16,

    /// <summary>Signed 8-bit integer.</summary>
    I8,

    /// <summary>Signed 16-bit integer.</summary>
    I16,

    /// <summary>Signed 32-bit integer.</summary>
    I32,

    /// <summary>Signed 64-bit integer.</summary>
    I64,

    /// <summary>Unsigned 8-bit integer.</summary>
    U8,

    /// <summary>One byte, 0 or 1.</summary>
    Bool,
}

/// <summary>Facts about <see cref="DType"/> values.</summary>
public static class DTypes
{
    /// <summary>The size of one element in bytes.</summary>
    public static int Size(this DType dtype) => dtype switch
    {
        DType.F64 or DType.I64 => 8,
        DType.F32 or DType.I32 => 4,
        DType.F16 or DType.BF16 or DType.I16 => 2,
        _ => 1,
    };

    /// <summary>True for the types that can carry a gradient.</summary>
    public static bool IsFloat(this DType dtype) => dtype is DType.F32 or DType.F64 or DType.F16 or DType.BF16;

    /// <summary>The <see cref="DType"/> that stores values of the C# type <typeparamref name="T"/>.</summary>
    /// <exception cref="ArgumentException">No tensor type stores <typeparamref name="T"/>.</exception>
    public static DType Of<T>()
        where T : unmanaged
    {
        if (typeof(T) == typeof(float)) return DType.F32;
        if (typeof(T) == typeof(double)) return DType.F64;
        if (typeof(T) == typeof(Half)) return DType.F16;
        if (typeof(T) == typeof(sbyte)) return DType.I8;
        if (typeof(T) == typeof(short)) return DType.I16;
        if (typeof(T) == typeof(int)) return DType.I32;
        if (typeof(T) == typeof(long)) return DType.I64;
        if (typeof(T) == typeof(byte)) return DType.U8;
        if (typeof(T) == typeof(bool)) return DType.Bool;
        throw new ArgumentException($"no tensor type stores {typeof(T).Name}; use float, double, Half, sbyte, short, int, long, byte or bool");
    }
}
