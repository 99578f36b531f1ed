using System.Runtime.InteropServices;

namespace Lavt.Kernels.Cpu;

/// <summary>Memory for machine code that was assembled at run time. It is never writable and executable at once.</summary>
internal static unsafe partial class ExecutableMemory
{
    private const int Read = 1;
    private const int Write = 2;
    private const int Execute = 4;
    private const int PrivateAnonymous = 0x22;

    /// <summary>Copies code to where it can run; it stays there as long as the process lives.</summary>
    /// <returns>The address of the first byte, at the start of a page.</returns>
    /// <exception cref="PlatformNotSupportedException">The system gives no such memory to this process.</exception>
    public static nint Store(ReadOnlySpan<byte> code)
    {
        if (!OperatingSystem.IsLinux()) throw new PlatformNotSupportedException("machine code made at run time is implemented for Linux only");
        nuint bytes = (nuint)code.Length;
        nint memory = Map(0, bytes, Read | Write, PrivateAnonymous, -1, 0);
        if (memory == -1) throw Refused();
        code.CopyTo(new Span<byte>((void*)memory, code.Length));
        if (Protect(memory, bytes, Read | Execute) == 0) return memory;
        PlatformNotSupportedException refused = Refused();
        _ = Unmap(memory, bytes);
        throw refused;
    }

    private static PlatformNotSupportedException Refused() =>
        new($"the system gives this process no executable memory ({Marshal.GetLastPInvokeErrorMessage()})");

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint bytes, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint address, nuint bytes, int protection);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Unmap(nint address, nuint bytes);
}
