using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>
/// The microkernel of products of bfloat16 matrices with float32 sums. A <see cref="TileJob"/> describes its work in pairs
/// of bfloat16 numbers, which take the place of floats: A is [rows, pairs], B [pairs, 32 columns] of pairs.
/// </summary>
internal static unsafe class Bf16Tile
{
    /// <summary>Columns of a tile.</summary>
    public const int PanelWidth = 32;

    // vdpbf16ps is told by CPUID leaf 7, subleaf 1, bit 5 of EAX.
    private const int FeatureLeaf = 7;
    private const int FeatureSubleaf = 1;
    private const int FeatureBit = 1 << 5;

    private static readonly nint[] s_kernels = new nint[GemmTile.MaxRows];
    private static readonly string? s_missing = Prepare();

    /// <summary>Why this machine has no products of bfloat16, or null if it has them.</summary>
    public static string? Missing => s_missing;

    /// <summary>Runs the microkernel for <paramref name="rows"/> rows (1 … <see cref="GemmTile.MaxRows"/>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Run(int rows, ref TileJob job)
    {
        fixed (TileJob* pinned = &job) ((delegate* unmanaged[SuppressGCTransition]<TileJob*, void>)s_kernels[rows - 1])(pinned);
    }

    private static string? Prepare()
    {
        if (!Avx512F.IsSupported || !X86Base.X64.IsSupported) return "the processor has no AVX-512, or it is switched off";
        if ((X86Base.CpuId(0, 0).Eax < FeatureLeaf) || (X86Base.CpuId(FeatureLeaf, FeatureSubleaf).Eax & FeatureBit) == 0)
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
        return null;
    }
}
