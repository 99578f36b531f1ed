using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The microkernel of products of bfloat16 matrices with float32 sums. A <see cref="TileJob"/> of one tap describes its
/// work in pairs of bfloat16 numbers, which take the place of floats: A is [rows, pairs], B [pairs, 32 columns] of pairs.
/// </summary>
internal static unsafe class Bf16Tile
{
    /// <summary>Columns of a tile.</summary>
    public const int PanelWidth = 32;

    // CPUID leaf 7, subleaf 1, bit 5 of EAX tells AVX512-BF16.
    private const int FeatureLeaf = 7;
    private const int FeatureSubleaf = 1;
    private const int FeatureBit = 1 << 5;

    private static readonly nint[] s_kernels = new nint[GemmTile.MaxRows];

    /// <summary>Why this machine has no such microkernel, or null if it has.</summary>
    public static string? Missing { get; } = Prepare();

    /// <summary>Runs the microkernel for <paramref name="rows"/> rows (1 … <see cref="GemmTile.MaxRows"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run(int rows, ref TileJob job)
    {
        // A call takes a few microseconds: not worth telling the garbage collector of.
        fixed (TileJob* pinned = &job) ((delegate* unmanaged[SuppressGCTransition]<TileJob*, void>)s_kernels[rows - 1])(pinned);
    }

    private static string? Prepare()
    {
        if (!Avx512F.IsSupported || !X86Base.X64.IsSupported) return "the processor has no AVX-512, or DOTNET_EnableAVX512=0 hides it";
        if (X86Base.CpuId(0, 0).Eax < FeatureLeaf || (X86Base.CpuId(FeatureLeaf, FeatureSubleaf).Eax & FeatureBit) == 0)
            return "the processor has no AVX512-BF16";
        try
        {
            Span<int> entries = stackalloc int[GemmTile.MaxRows];
            nint code = ExecutableMemory.Store(Bf16Assembly.Assemble(entries));
            for (int i = 0; i < entries.Length; i++) s_kernels[i] = code + entries[i];
        }
        catch (PlatformNotSupportedException refused)
        {
            return refused.Message;
        }
        for (int rows = 1; rows <= GemmTile.MaxRows; rows++)
            if (!IsExact(rows)) return $"the microkernel of {rows} rows computes wrong numbers on this processor";
        return null;
    }

    /// <summary>Tries the microkernel on small integers, whose sums are exact in any order.</summary>
    private static bool IsExact(int rows)
    {
        const int Pairs = 3, Numbers = 2 * Pairs;
        ushort* a = stackalloc ushort[GemmTile.MaxRows * Numbers], b = stackalloc ushort[PanelWidth * Numbers];
        float* bias = stackalloc float[PanelWidth], c = stackalloc float[GemmTile.MaxRows * PanelWidth];
        for (int i = 0; i < GemmTile.MaxRows * Numbers; i++) a[i] = BFloat16.FromSingle(i % 7 - 3);
        for (int i = 0; i < PanelWidth * Numbers; i++) b[i] = BFloat16.FromSingle(i % 11 - 5);
        for (int i = 0; i < PanelWidth; i++) bias[i] = i;
        for (int i = 0; i < GemmTile.MaxRows * PanelWidth; i++) c[i] = -i;
        TileJob job = new()
        {
            A = (float*)a,
            ARowStride = Pairs,
            B = (float*)b,
            Steps = Pairs,
            C = c,
            CRowStride = PanelWidth,
            Addend = bias,
            Residual = c,
            ResidualRowStride = PanelWidth,
        };
        Run(rows, ref job);
        bool exact = true;
        for (int i = 0; i < GemmTile.MaxRows * PanelWidth; i++)
        {
            int row = i / PanelWidth, column = i % PanelWidth;
            float expected = -i;
            if (row < rows) expected += column;
            for (int p = 0; p < Numbers && row < rows; p++)
                expected += BFloat16.ToSingle(a[(row * Numbers) + p]) * BFloat16.ToSingle(b[(((p / 2 * PanelWidth) + column) * 2) + (p % 2)]);
            exact &= c[i] == expected;
        }
        return exact;
    }
}
