using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using ArmCrc32 = System.Runtime.Intrinsics.Arm.Crc32;

namespace Lavt.Nn.Weights;

/// <summary>
/// The CRC-32 of zip files (ISO 3309, reflected polynomial 0xEDB88320). Checkpoints are read at the speed of memory, so this
/// uses carry-less multiplication on x86 and the crc32 instruction on Arm, and tables elsewhere.
/// </summary>
/// <remarks>Source of the folding: V. Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction", Intel 2009.</remarks>
internal static class Crc32
{
    private const int Slices = 8;
    private static readonly uint[] Table = MakeTable();

    /// <summary>The checksum of <paramref name="crc"/>'s data followed by <paramref name="data"/>; start with 0.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> data)
    {
        crc = ~crc;
        if (Pclmulqdq.IsSupported && data.Length >= 64)
        {
            int folded = data.Length & ~15;
            crc = Fold(crc, data[..folded]);
            data = data[folded..];
        }
        else if (ArmCrc32.Arm64.IsSupported)
        {
            ReadOnlySpan<ulong> words = MemoryMarshal.Cast<byte, ulong>(data);
            foreach (ulong word in words) crc = ArmCrc32.Arm64.ComputeCrc32(crc, word);
            data = data[(words.Length * 8)..];
        }
        return ~AppendByTable(crc, data);
    }

    /// <summary>Eight bytes per step through eight tables; takes and returns the inverted checksum.</summary>
    internal static uint AppendByTable(uint crc, ReadOnlySpan<byte> data)
    {
        uint[] table = Table;
        while (data.Length >= 8)
        {
            uint low = BinaryPrimitives.ReadUInt32LittleEndian(data) ^ crc;
            uint high = BinaryPrimitives.ReadUInt32LittleEndian(data[4..]);
            crc = table[7 * 256 + (byte)low] ^ table[6 * 256 + (byte)(low >> 8)] ^ table[5 * 256 + (byte)(low >> 16)] ^ table[4 * 256 + (low >> 24)]
                ^ table[3 * 256 + (byte)high] ^ table[2 * 256 + (byte)(high >> 8)] ^ table[256 + (byte)(high >> 16)] ^ table[high >> 24];
            data = data[8..];
        }
        foreach (byte value in data) crc = table[(byte)(crc ^ value)] ^ (crc >> 8);
        return crc;
    }

    /// <summary>At least 64 bytes, a multiple of 16: four lanes of 128 bits folded over 512 bits, then into one, then reduced.</summary>
    private static uint Fold(uint crc, ReadOnlySpan<byte> data)
    {
        Vector128<ulong> over512 = Vector128.Create(0x0154442bd4UL, 0x01c6e41596UL);
        Vector128<ulong> over128 = Vector128.Create(0x01751997d0UL, 0x00ccaa009eUL);
        ReadOnlySpan<Vector128<ulong>> blocks = MemoryMarshal.Cast<byte, Vector128<ulong>>(data);
        Vector128<ulong> x1 = blocks[0] ^ Vector128.CreateScalar((ulong)crc);
        Vector128<ulong> x2 = blocks[1], x3 = blocks[2], x4 = blocks[3];
        int i = 4;
        for (; i + 4 <= blocks.Length; i += 4)
        {
            x1 = Step(x1, over512, blocks[i]);
            x2 = Step(x2, over512, blocks[i + 1]);
            x3 = Step(x3, over512, blocks[i + 2]);
            x4 = Step(x4, over512, blocks[i + 3]);
        }
        x1 = Step(Step(Step(x1, over128, x2), over128, x3), over128, x4);
        for (; i < blocks.Length; i++) x1 = Step(x1, over128, blocks[i]);
        return Reduce(x1, over128);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<ulong> Step(Vector128<ulong> x, Vector128<ulong> constants, Vector128<ulong> next) =>
        Pclmulqdq.CarrylessMultiply(x, constants, 0x00) ^ Pclmulqdq.CarrylessMultiply(x, constants, 0x11) ^ next;

    /// <summary>128 bits to 64, and Barrett reduction to 32.</summary>
    private static uint Reduce(Vector128<ulong> x, Vector128<ulong> over128)
    {
        Vector128<ulong> low32 = Vector128.Create(0x00000000FFFFFFFFUL, 0x00000000FFFFFFFFUL);
        Vector128<ulong> over64 = Vector128.CreateScalar(0x0163cd6124UL);
        Vector128<ulong> polynomial = Vector128.Create(0x01db710641UL, 0x01f7011641UL);
        x = Sse2.ShiftRightLogical128BitLane(x, 8) ^ Pclmulqdq.CarrylessMultiply(x, over128, 0x10);
        x = Sse2.ShiftRightLogical128BitLane(x, 4) ^ Pclmulqdq.CarrylessMultiply(x & low32, over64, 0x00);
        Vector128<ulong> quotient = Pclmulqdq.CarrylessMultiply(x & low32, polynomial, 0x10) & low32;
        return (x ^ Pclmulqdq.CarrylessMultiply(quotient, polynomial, 0x00)).AsUInt32().GetElement(1);
    }

    private static uint[] MakeTable()
    {
        uint[] table = new uint[Slices * 256];
        for (uint value = 0; value < 256; value++)
        {
            uint crc = value;
            for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ ((crc & 1) * 0xEDB88320);
            table[value] = crc;
        }
        for (int i = 256; i < table.Length; i++) table[i] = table[(byte)table[i - 256]] ^ (table[i - 256] >> 8);
        return table;
    }
}
