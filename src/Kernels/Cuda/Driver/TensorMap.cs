using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>
/// Describes a matrix in device memory to the tensor memory accelerator of GPUs from compute capability 9.0 on (CUtensorMap):
/// a kernel that receives one by value copies whole tiles into shared memory with one instruction, with zeros beyond the edges.
/// </summary>
[InlineArray(16)]
public struct TensorMap
{
    private ulong _first;

    /// <summary>A row-major matrix, read in tiles whose rows of 128 bytes are swizzled as the matrix units expect them.</summary>
    /// <param name="address">The first element, 16-byte aligned.</param>
    /// <param name="type">BF16, F16 or F32.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="rowBytes">The bytes from a row to the next, a multiple of 16.</param>
    /// <param name="tileRows">The rows of a tile, at most 256.</param>
    /// <param name="tileColumns">The columns of a tile; together 128 bytes at most.</param>
    /// <exception cref="CudaException">The matrix cannot be described; alignment and sizes are as above.</exception>
    public static unsafe TensorMap Of(void* address, DType type, long rows, long columns, long rowBytes, int tileRows, int tileColumns)
    {
        const int Swizzle128 = 3, Promote128 = 2, CacheLine = 64;
        // The driver writes to addresses that are multiples of 64 only.
        byte* room = stackalloc byte[sizeof(TensorMap) + CacheLine];
        void* map = (void*)(((nuint)room + CacheLine - 1) / CacheLine * CacheLine);
        ulong* extents = stackalloc ulong[] { (ulong)columns, (ulong)rows };
        ulong* strides = stackalloc ulong[] { (ulong)rowBytes };
        uint* box = stackalloc uint[] { (uint)tileColumns, (uint)tileRows };
        uint* steps = stackalloc uint[] { 1, 1 };
        CudaException.Check(
            DriverApi.TensorMapEncodeTiled(map, TypeCode(type), 2, (nint)address, extents, strides, box, steps, 0, Swizzle128, Promote128, 0),
            $"cuTensorMapEncodeTiled of {type} [{rows}, {columns}] at address {(nint)address}, rows of {rowBytes} bytes, tiles of {tileRows} x {tileColumns}");
        return *(TensorMap*)map;
    }

    private static int TypeCode(DType type) => type switch
    {
        DType.F16 => 6,
        DType.F32 => 7,
        DType.BF16 => 9,
        _ => throw new ArgumentException($"tiles of {type} cannot be copied; F16, F32 and BF16 can"),
    };
}
