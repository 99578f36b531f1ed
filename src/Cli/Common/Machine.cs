using Lavt.Kernels;
using Lavt.Kernels.Cpu;
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
        if (options.Device != Device.Cpu)
            throw new MissingDeviceException($"--device {options.Device}: this build computes on the CPU; leave the flag out or give --device cpu");
        if (options.Threads is { } threads)
            Workers.SetDefaultCount(threads);
        if (options.Precision == Precision.BFloat16 && Bf16Gemm.Missing is { } why)
            Terminal.Note($"--precision bf16: products of bfloat16 are not available, computing in fp32 ({why})");
    }
}
