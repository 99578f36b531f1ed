using System.Diagnostics;

namespace Lavt.Evaluation;

/// <summary>The memory of this process.</summary>
public static class ProcessMemory
{
    private const int BytesPerMiBShift = 20;

    /// <summary>The resident memory now, in MiB.</summary>
    public static long CurrentMiB => Environment.WorkingSet >> BytesPerMiBShift;

    /// <summary>The most resident memory so far, in MiB.</summary>
    public static long PeakMiB
    {
        get
        {
            using Process process = Process.GetCurrentProcess();
            return process.PeakWorkingSet64 >> BytesPerMiBShift;
        }
    }
}
