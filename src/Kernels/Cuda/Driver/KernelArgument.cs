using System.Globalization;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>An argument of a kernel: an address, a number, or a structure passed by value. Numbers convert by themselves.</summary>
public readonly unsafe struct KernelArgument
{
    private readonly ulong _bits;
    private readonly nint _structure;

    private KernelArgument(ulong bits, int size, nint structure = 0) => (_bits, Size, _structure) = (bits, size, structure);

    /// <summary>The size in bytes, which must be that of the kernel's parameter.</summary>
    internal int Size { get; }

    /// <summary>A structure of which the launch takes a copy.</summary>
    public static KernelArgument ByValue<T>(T* structure)
        where T : unmanaged => new(0, sizeof(T), (nint)structure);

    /// <summary>An address in the device's memory.</summary>
    public static implicit operator KernelArgument(void* value) => new((ulong)value, sizeof(void*));

    /// <summary>A parameter of type int.</summary>
    public static implicit operator KernelArgument(int value) => new((uint)value, sizeof(int));

    /// <summary>A parameter of type unsigned int.</summary>
    public static implicit operator KernelArgument(uint value) => new(value, sizeof(uint));

    /// <summary>A parameter of type long long.</summary>
    public static implicit operator KernelArgument(long value) => new((ulong)value, sizeof(long));

    /// <summary>A parameter of type unsigned long long.</summary>
    public static implicit operator KernelArgument(ulong value) => new(value, sizeof(ulong));

    /// <summary>A parameter of type float.</summary>
    public static implicit operator KernelArgument(float value) => new(BitConverter.SingleToUInt32Bits(value), sizeof(float));

    /// <inheritdoc/>
    public override string ToString() => _structure != 0
        ? $"{Size} bytes"
        : Size == sizeof(int) ? string.Create(CultureInfo.InvariantCulture, $"{(int)_bits}/{BitConverter.UInt32BitsToSingle((uint)_bits):G6}f") : $"0x{_bits:x}";

    /// <summary>Where the launch finds the value; <paramref name="argument"/> must not move.</summary>
    internal static void* AddressOf(KernelArgument* argument) => argument->_structure != 0 ? (void*)argument->_structure : &argument->_bits;
}

/// <summary>How many blocks of threads a launch has along each axis.</summary>
/// <param name="X">Blocks along x, at most 2³¹ − 1.</param>
/// <param name="Y">Blocks along y, at most 65535.</param>
/// <param name="Z">Blocks along z, at most 65535.</param>
public readonly record struct Grid(long X, int Y = 1, int Z = 1)
{
    /// <summary>The blocks needed for <paramref name="count"/> items with so many per block.</summary>
    public static Grid Over(long count, int perBlock) => new((count + perBlock - 1) / perBlock);

    /// <summary>So many blocks along x.</summary>
    public static implicit operator Grid(int x) => new(x);

    /// <summary>So many blocks along x.</summary>
    public static implicit operator Grid(long x) => new(x);

    /// <inheritdoc/>
    public override string ToString() => $"{X} x {Y} x {Z}";
}
