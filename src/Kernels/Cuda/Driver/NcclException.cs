using System.Runtime.InteropServices;

namespace Lavt.Kernels.Cuda.Driver;

/// <summary>A call of NCCL failed, most often because another process is gone.</summary>
/// <param name="message">Names the call and says what NCCL says.</param>
public sealed class NcclException(string message) : Exception(message)
{
    /// <summary>Throws if a call failed.</summary>
    /// <param name="result">What it returned, an ncclResult_t.</param>
    /// <param name="call">The call and what it was about.</param>
    /// <param name="group">The communicator; 0 if there is none.</param>
    internal static unsafe void Check(int result, string call, nint group = 0)
    {
        if (result == 0) return;
        string meaning = Text(NcclApi.GetErrorString(result)), last = Text(NcclApi.GetLastError(group));
        throw new NcclException($"{call}: {meaning} ({result}){(last.Length > 0 ? ": " + last : "")} (NCCL_DEBUG=WARN shows more)");
    }

    private static unsafe string Text(byte* text) => Marshal.PtrToStringUTF8((nint)text)?.Trim() ?? "";
}
