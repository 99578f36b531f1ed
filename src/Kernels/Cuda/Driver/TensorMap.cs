using System.Runtime.CompilerServices;
using Lavt.Tensors;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>
/// Describes a matrix in device memory to the tensor memory accelerator of GPUs from compute capability 9.0 on (CUtensorMap):
/// a kernel that receives one by value copies whole tiles into shared memory with one instruction, with zeros beyond the edges.
/// </summary>
[InlineArray(16)]
public unsafe struct TensorMap
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
    public static TensorMap Of(void* address, DType type, long rows, long columns, long rowBytes, int tileRows, int tileColumns) =>
        Encode(address, type, [(ulong)columns, (ulong)rows], [(ulong)rowBytes], [(uint)tileColumns, (uint)tileRows]);

    /// <summary>Channels-last maps [batch, frames, height, width, channels] that lie side by side, read in boxes of one frame, swizzled the same way.</summary>
    /// <param name="address">The first element, 16-byte aligned.</param>
    /// <param name="type">BF16, F16 or F32; the channels of a pixel are a multiple of 16 bytes.</param>
    /// <param name="batch">The number of maps.</param>
    /// <param name="map">Their extents.</param>
    /// <param name="channels">The channels.</param>
    /// <param name="boxHeight">The rows of a box.</param>
    /// <param name="boxWidth">The columns of a box.</param>
    /// <param name="boxChannels">The channels of a box, 128 bytes at most.</param>
    /// <exception cref="CudaException">The maps cannot be described; alignment and sizes are as above.</exception>
    public static TensorMap OfMaps(void* address, DType type, int batch, Volume map, int channels, int boxHeight, int boxWidth, int boxChannels)
    {
        ulong pixel = (ulong)(channels * type.Size()), row = pixel * (ulong)map.Width, frame = row * (ulong)map.Height;
        return Encode(
            address,
            type,
            [(ulong)channels, (ulong)map.Width, (ulong)map.Height, (ulong)map.Frames, (ulong)batch],
            [pixel, row, frame, frame * (ulong)map.Frames],
            [(uint)boxChannels, (uint)boxWidth, (uint)boxHeight, 1, 1]);
    }

    /// <summary>Extents and tile from the axis of neighbouring numbers outwards; strides without that axis.</summary>
    private static TensorMap Encode(void* address, DType type, ReadOnlySpan<ulong> extents, ReadOnlySpan<ulong> byteStrides, ReadOnlySpan<uint> tile)
    {
        const int Swizzle128 = 3, Promote128 = 2, CacheLine = 64;
        // The driver writes to addresses that are multiples of 64 only.
        byte* room = stackalloc byte[sizeof(TensorMap) + CacheLine];
        void* map = (void*)(((nuint)room + CacheLine - 1) / CacheLine * CacheLine);
        uint* steps = stackalloc uint[] { 1, 1, 1, 1, 1 };
        fixed (ulong* ofExtents = extents, ofStrides = byteStrides)
        {
            fixed (uint* box = tile)
            {
                int result = DriverApi.TensorMapEncodeTiled(map, TypeCode(type), (uint)extents.Length, (nint)address, ofExtents, ofStrides, box, steps, 0, Swizzle128, Promote128, 0);
                if (result != 0)
                    CudaException.Check(result, $"cuTensorMapEncodeTiled of {type} [{string.Join(", ", extents.ToArray())}] at address {(nint)address}, strides of {string.Join(", ", byteStrides.ToArray())} bytes, tiles of {string.Join(" x ", tile.ToArray())}");
            }
        }
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
