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

    /// <summary>The options with the device of this process, where a launcher started several: on GPUs that of its place on the host.</summary>
    /// <exception cref="OptionException">Each process is to have several devices, or all the same GPU.</exception>
    /// <exception cref="MissingDeviceException">There are no GPUs.</exception>
    public static LavtOptions OfThisProcess(LavtOptions options)
    {
        var launch = LaunchEnvironment.Read();
        IReadOnlyList<Device> devices = options.Machine.Devices;
        if (launch.Meeting == Meeting.None) return options;
        if (devices.Count > 1)
            throw new OptionException("--device", $"{launch.Size} processes were started, each of which has one device; leave the flag out (--device cuda for GPUs), or start one process");
        if (!devices[0].IsCuda) return options;
        if (devices[0].Index > 0)
            throw new OptionException("--device", $"{launch.Size} processes were started, each of which takes the GPU of its place on the host; give --device cuda");
        int visible = Find(devices[0], () => CudaDevice.Count);
        return options with { Machine = options.Machine with { DeviceNames = new Device(DeviceKind.Cuda, launch.GpuOf(visible)).ToString() } };
    }

    /// <summary>Opens a GPU and finds its compiler, so that what is missing is said before any work.</summary>
    private static string Open(Device device) => Find(device, () =>
    {
        CudaDevice.Of(device);
        return CudaLibraries.CompilerFile;
    });

    private static T Find<T>(Device device, Func<T> find)
    {
        try
        {
            return find();
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
