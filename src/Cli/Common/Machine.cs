using Lavt.Kernels;
using Lavt.Kernels.Cpu;
using Lavt.Kernels.Cuda.Driver;
using Lavt.Nn.Parallel;
using Lavt.Options;
using Lavt.Tensors;

namespace Lavt.Cli;

/// <summary>Sets up what the work runs on.</summary>
internal static class Machine
{
    /// <summary>Uses the device and threads that the command line names.</summary>
    /// <exception cref="MissingDeviceException">The device is not there.</exception>
    public static void Prepare(MachineOptions options)
    {
        foreach (Device device in options.Devices.Where(device => device.IsCuda)) Open(device);
        if (options.Precision is Precision.Tf32 or Precision.Float16 && !options.Device.IsCuda)
            throw new OptionException("--precision", $"{(options.Precision == Precision.Tf32 ? "tf32" : "fp16")} is a type of GPUs; give --device cuda, or leave --precision out");
        if (options.Threads is not null || LaunchEnvironment.Read().LocalSize > 1)
            Workers.SetDefaultCount(Threads(options));
        if (options.Precision == Precision.BFloat16 && !options.Device.IsCuda && Bf16Gemm.Missing is { } why)
            Terminal.Note($"--precision bf16: products of bfloat16 are not available, computing in fp32 ({why})");
    }

    /// <summary>Opens a GPU and finds its compiler, so that what is missing is said before any work.</summary>
    private static void Open(Device device)
    {
        try
        {
            CudaDevice.Of(device);
            _ = CudaLibraries.CompilerFile;
        }
        catch (Exception missing) when (missing is DllNotFoundException or CudaException or EntryPointNotFoundException)
        {
            throw new MissingDeviceException($"--device {device}: {missing.Message}");
        }
    }

    /// <summary>The threads that this process computes with: <c>--threads</c>, or its share of the host's cores.</summary>
    public static int Threads(MachineOptions options) =>
        options.Threads ?? Math.Max(1, Environment.ProcessorCount / LaunchEnvironment.Read().LocalSize);
}
