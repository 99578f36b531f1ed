using Lavt.Kernels;
using Lavt.Kernels.Cpu;
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
        if (options.Device.Kind != DeviceKind.Cpu)
            throw new MissingDeviceException($"--device {options.Device}: this build computes on the CPU; leave the flag out or give --device cpu");
        if (options.Threads is not null || LaunchEnvironment.Read().LocalSize > 1)
            Workers.SetDefaultCount(Threads(options));
        if (options.Precision == Precision.BFloat16 && Bf16Gemm.Missing is { } why)
            Terminal.Note($"--precision bf16: products of bfloat16 are not available, computing in fp32 ({why})");
    }

    /// <summary>The threads that this process computes with: <c>--threads</c>, or its share of the host's cores.</summary>
    public static int Threads(MachineOptions options) =>
        options.Threads ?? Math.Max(1, Environment.ProcessorCount / LaunchEnvironment.Read().LocalSize);
}
