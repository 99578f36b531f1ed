using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Lavt.Kernels.Cpu;

/// <summary>Which vector width the kernels use on this processor.</summary>
public static class CpuInfo
{
    /// <summary>512, 256 or 128. Set <c>DOTNET_EnableAVX512=0</c> or <c>DOTNET_EnableAVX=0</c> to try the narrower ones.</summary>
    public static int VectorBits { get; } = Avx512F.IsSupported ? 512 : Vector256.IsHardwareAccelerated && Fma.IsSupported ? 256 : 128;
}
