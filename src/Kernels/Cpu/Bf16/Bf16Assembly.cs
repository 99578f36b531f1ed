using Iced.Intel;
using static Iced.Intel.AssemblerRegisters;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The machine code of <see cref="Bf16Tile"/>: up to 12 rows of two vectors of sums in 24 of the 32 registers, a pair of
/// products per lane and step (<c>vdpbf16ps</c>).
/// </summary>
/// <remarks>
/// .NET has no intrinsics for AVX512-BF16, hence the assembler (Iced). It costs about 20 ms once per process, only where
/// bfloat16 was asked for.
/// </remarks>
internal static class Bf16Assembly
{
    private const int Alignment = 64;
    private const int VectorBytes = 64;
    private const int StepBytes = 2 * VectorBytes;

    /// <summary>How many steps ahead weights are called for, as in the float32 microkernel.</summary>
    private const int StepsAhead = 24;

    /// <summary>A pointer serves three rows: base, base + stride and base + 2 · stride are all addressing modes.</summary>
    private const int RowsPerPointer = 3;

    private static readonly AssemblerRegister64[] s_rowPointers = [rax, r9, r10, r11];

    private static readonly AssemblerRegisterZMM[] s_zmm =
    [
        zmm0, zmm1, zmm2, zmm3, zmm4, zmm5, zmm6, zmm7, zmm8, zmm9, zmm10, zmm11, zmm12, zmm13, zmm14, zmm15,
        zmm16, zmm17, zmm18, zmm19, zmm20, zmm21, zmm22, zmm23, zmm24, zmm25, zmm26, zmm27, zmm28, zmm29, zmm30, zmm31,
    ];

    /// <summary>Assembles the microkernels of 1 … <see cref="GemmTile.MaxRows"/> rows.</summary>
    /// <param name="entries">Receives where in the code each begins.</param>
    /// <returns>Code that runs at any address; it follows the System V calling convention with the job as its only argument.</returns>
    public static byte[] Assemble(Span<int> entries)
    {
        CodeBytes code = new();
        for (int rows = 1; rows <= GemmTile.MaxRows; rows++)
        {
            while (code.All.Count % Alignment != 0) code.WriteByte(0xCC);
            entries[rows - 1] = code.All.Count;
            Assembler assembler = new(64);
            Emit(assembler, rows);
            assembler.Assemble(code, 0);
        }
        return [.. code.All];
    }

    private static void Emit(Assembler c, int rows)
    {
        int pointers = (rows + RowsPerPointer - 1) / RowsPerPointer;
        for (int i = 0; i < 2 * rows; i++) c.vpxord(s_zmm[i], s_zmm[i], s_zmm[i]);
        c.mov(rax, Field(TileJobFields.A));
        c.mov(r8, Field(TileJobFields.ARowStride));
        c.shl(r8, 2);
        c.lea(rsi, __[r8 + r8 * 2]);
        for (int i = 1; i < pointers; i++) c.lea(s_rowPointers[i], __[s_rowPointers[i - 1] + rsi]);
        c.mov(rdx, Field(TileJobFields.B));
        c.mov(rcx, Field(TileJobFields.Steps));
        Label top = c.CreateLabel(), done = c.CreateLabel();
        c.test(rcx, rcx);
        c.jz(done);
        c.Label(ref top);
        EmitStep(c, rows, pointers);
        c.dec(rcx);
        c.jnz(top);
        c.Label(ref done);
        EmitStore(c, rows);
        c.vzeroupper();
        c.ret();
    }

    /// <summary>Adds the products of one pair of columns of A with one pair of rows of B.</summary>
    private static void EmitStep(Assembler c, int rows, int pointers)
    {
        c.prefetcht0(__byte_ptr[rdx + StepsAhead * StepBytes]);
        c.prefetcht0(__byte_ptr[rdx + (StepsAhead * StepBytes + VectorBytes)]);
        c.vmovups(zmm24, __zmmword_ptr[rdx]);
        c.vmovups(zmm25, __zmmword_ptr[rdx + VectorBytes]);
        for (int i = 0; i < rows; i++)
        {
            AssemblerRegisterZMM a = s_zmm[26 + i % 6];
            AssemblerRegister64 pointer = s_rowPointers[i / RowsPerPointer];
            c.vpbroadcastd(a, (i % RowsPerPointer) switch
            {
                0 => __dword_ptr[pointer],
                1 => __dword_ptr[pointer + r8],
                _ => __dword_ptr[pointer + r8 * 2],
            });
            c.vdpbf16ps(s_zmm[2 * i], a, zmm24);
            c.vdpbf16ps(s_zmm[2 * i + 1], a, zmm25);
        }
        c.add(rdx, StepBytes);
        for (int i = 0; i < pointers; i++) c.add(s_rowPointers[i], sizeof(float));
    }

    /// <summary>Stores the sums with what is to be added to them.</summary>
    private static void EmitStore(Assembler c, int rows)
    {
        EmitAdd(c, rows, TileJobFields.Addend, TileJobFields.AddendRowStride);
        EmitAdd(c, rows, TileJobFields.Residual, TileJobFields.ResidualRowStride);
        c.mov(rax, Field(TileJobFields.C));
        c.mov(rcx, Field(TileJobFields.CRowStride));
        c.shl(rcx, 2);
        for (int i = 0; i < rows; i++)
        {
            c.vmovups(__zmmword_ptr[rax], s_zmm[2 * i]);
            c.vmovups(__zmmword_ptr[rax + VectorBytes], s_zmm[2 * i + 1]);
            c.add(rax, rcx);
        }
    }

    /// <summary>Adds rows of floats to the sums, unless their address is null.</summary>
    private static void EmitAdd(Assembler c, int rows, int address, int stride)
    {
        Label none = c.CreateLabel();
        c.mov(rdx, Field(address));
        c.mov(r8, Field(stride));
        c.shl(r8, 2);
        c.test(rdx, rdx);
        c.jz(none);
        for (int i = 0; i < rows; i++)
        {
            c.vaddps(s_zmm[2 * i], s_zmm[2 * i], __zmmword_ptr[rdx]);
            c.vaddps(s_zmm[2 * i + 1], s_zmm[2 * i + 1], __zmmword_ptr[rdx + VectorBytes]);
            c.add(rdx, r8);
        }
        c.Label(ref none);
    }

    private static AssemblerMemoryOperand Field(int offset) => __qword_ptr[rdi + offset];

    /// <summary>Collects the bytes.</summary>
    private sealed class CodeBytes : CodeWriter
    {
        public List<byte> All { get; } = [];

        public override void WriteByte(byte value) => All.Add(value);
    }

    /// <summary>Where the fields of a <see cref="TileJob"/> lie.</summary>
    private static unsafe class TileJobFields
    {
        public static readonly int A, ARowStride, B, Steps, C, CRowStride, Addend, AddendRowStride, Residual, ResidualRowStride;

        static TileJobFields()
        {
            TileJob job = default;
            byte* start = (byte*)&job;
            A = (int)((byte*)&job.A - start);
            ARowStride = (int)((byte*)&job.ARowStride - start);
            B = (int)((byte*)&job.B - start);
            Steps = (int)((byte*)&job.Steps - start);
            C = (int)((byte*)&job.C - start);
            CRowStride = (int)((byte*)&job.CRowStride - start);
            Addend = (int)((byte*)&job.Addend - start);
            AddendRowStride = (int)((byte*)&job.AddendRowStride - start);
            Residual = (int)((byte*)&job.Residual - start);
            ResidualRowStride = (int)((byte*)&job.ResidualRowStride - start);
        }
    }
}
