using System.Runtime.InteropServices;

namespace Lavt.Data;

/// <summary>
/// Lets a thread step back behind the model's. The runtime's thread priorities do nothing on Linux, where each thread has a
/// nice value of its own.
/// </summary>
internal static partial class ThreadNice
{
    private const int Process = 0;
    private const uint CallingThread = 0;
    private const int Nice = 10;

    /// <summary>Lowers the priority of the calling thread; without effect where the system does not allow it.</summary>
    public static void Lower()
    {
        if (OperatingSystem.IsLinux()) _ = SetPriority(Process, CallingThread, Nice);
    }

    [LibraryImport("libc", EntryPoint = "setpriority")]
    private static partial int SetPriority(int which, uint who, int priority);
}
