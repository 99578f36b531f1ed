using System.Diagnostics;
using System.Globalization;
using Lavt.Autograd;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Tensors;

namespace Lavt.Cli;

/// <summary>What <c>lavt doctor</c> says about GPUs: the driver, NVRTC, each GPU, and whether a kernel compiles and computes there.</summary>
internal static class GpuReport
{
    /// <summary>Prints the rows; that there is no GPU is no error.</summary>
    public static void Print(Action<string, string> row)
    {
        int count = 0;
        bool drives = Try(row, "GPU driver", () => $"{CudaDevice.DriverVersion}, {CudaLibraries.DriverFile}");
        bool compiles = Try(row, "NVRTC", () => $"{CudaLibraries.CompilerVersion}, {CudaLibraries.CompilerFile}");
        if (!drives || !Try(row, "GPU", () => (count = CudaDevice.Count) == 0 ? "the driver offers none" : $"{count} found")) return;
        row("compiled kernels", CudaLibraries.KernelFolder);
        for (int i = 0; i < count; i++)
        {
            int index = i;
            if (!Try(row, $"cuda:{index}", () => Describe(CudaDevice.Open(index))) || !compiles) continue;
            Try(row, "", () => Compute(new Device(DeviceKind.Cuda, index)));
        }
    }

    private static string Describe(CudaDevice device) => string.Create(CultureInfo.InvariantCulture,
        $"{device.Name}, compute capability {device.Capability.Major}.{device.Capability.Minor}, {device.MultiprocessorCount} multiprocessors, {device.TotalMemory / (1L << 20):N0} MiB");

    private static string Compute(Device device)
    {
        using MemoryScope scope = MemoryScope.Begin();
        Tensor x = Ops.To(Tensor.From([1f, 2, 3], [3]), device);
        long started = Stopwatch.GetTimestamp();
        float[] sum = Ops.Add(x, x).ToArray<float>();
        double seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        return sum.SequenceEqual([2f, 4, 6])
            ? string.Create(CultureInfo.InvariantCulture, $"a kernel was compiled and computes right ({seconds:F2} s)")
            : $"WRONG: a kernel gave {string.Join(' ', sum)} instead of 2 4 6";
    }

    private static bool Try(Action<string, string> row, string name, Func<string> find)
    {
        try
        {
            row(name, find());
            return true;
        }
        catch (Exception missing) when (missing is DllNotFoundException or CudaException or EntryPointNotFoundException)
        {
            row(name, missing.Message);
            return false;
        }
    }
}
